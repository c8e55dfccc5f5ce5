"""What Hugging Face PEFT and PyTorch make of a tiny model, an adapter and a few rows.

Run by tests/it/train/peft.rs as `exchange.py WORK`, where WORK holds `base/` (a checkpoint), `ours/` (an adapter that
Pluriscope wrote), `rows.json` ([[prompt tokens], [completion tokens]] each) and `settings.json` (lr, weight_decay, clip).
Writes `theirs/` (an adapter that PEFT wrote) and prints JSON: the log-probabilities of all completion tokens with ours,
with theirs, the gradient's norm, and with ours after one step of AdamW on the mean loss.

Needs torch, transformers, peft. step.json says with which versions its numbers were made.
"""
import json
import sys
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

work = Path(sys.argv[1])
rows = json.loads((work / "rows.json").read_text())
settings = json.loads((work / "settings.json").read_text())
torch.manual_seed(3)


def base():
    return AutoModelForCausalLM.from_pretrained(work / "base", dtype=torch.float32, attn_implementation="eager")


def logprobs(model):
    out = []
    for prompt, completion in rows:
        tokens = torch.tensor([prompt + completion])
        scores = torch.log_softmax(model(tokens).logits[0].double(), -1)
        out += [scores[len(prompt) - 1 + i, token] for i, token in enumerate(completion)]
    return torch.stack(out)


ours = PeftModel.from_pretrained(base(), work / "ours", is_trainable=True)
ours.eval()
weights = [p for p in ours.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(weights, lr=settings["lr"], betas=(0.9, 0.999), eps=1e-8, weight_decay=settings["weight_decay"])
before = logprobs(ours)
(-before.mean()).backward()
norm = torch.nn.utils.clip_grad_norm_(weights, settings["clip"])
optimiser.step()
after = logprobs(ours)

config = LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj", "down_proj"], use_rslora=True, task_type="CAUSAL_LM")
theirs = get_peft_model(base(), config)
theirs.eval()
for name, weight in theirs.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(weight, std=0.2)
theirs.save_pretrained(work / "theirs")

print(json.dumps({
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
    "ours": before.tolist(),
    "norm": float(norm),
    "after": after.tolist(),
    "theirs": logprobs(theirs).tolist(),
}))
