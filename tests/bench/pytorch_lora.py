"""PyTorch and PEFT on the shapes of tests/bench/training.rs: LoRA on SmolLM2-135M, f32, 16 rows x 128 tokens.

    python3 tests/bench/pytorch_lora.py                 # needs torch, transformers, peft
    python3 tests/bench/pytorch_lora.py --model FOLDER  # with real weights in Hugging Face's format
    python3 tests/bench/pytorch_lora.py --logits all    # as a plain training loop does: logits at every position

Without --model the weights are random numbers in SmolLM2-135M's shapes: the arithmetic, and so the speed, is the same.
Whole updates are timed: both ways through the network, clipping, AdamW. By default PyTorch gets its best case: logits at
the 33 completion positions alone, no attention mask, no padding. Prints tokens per second and peak memory.
"""
import argparse
import resource
import time

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

ROWS, TOKENS, TARGETS, STEPS = 16, 128, 33, 5

parser = argparse.ArgumentParser()
parser.add_argument("--model", help="folder with config.json and safetensors")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--logits", choices=["completion", "all"], default="completion")
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(1)

if options.model:
    base = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
else:
    base = LlamaForCausalLM(LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_theta=100000.0,
    )).float()
base.config.use_cache = False
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
config = peft.LoraConfig(r=16, lora_alpha=32, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
model = peft.get_peft_model(base, config)
model.train()
weights = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(weights, lr=1e-4, weight_decay=0.01)
rows = torch.randint(1000, 20000, (ROWS, TOKENS + 1))
inputs, wanted = rows[:, :-1], rows[:, -TARGETS:]
decoder = model.base_model.model


def step():
    hidden = decoder.model(input_ids=inputs).last_hidden_state
    if options.logits == "completion":
        hidden = hidden[:, -TARGETS:]
    logits = decoder.lm_head(hidden)[:, -TARGETS:]
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), wanted.reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return float(loss.detach())


speeds = []
for number in range(STEPS + 1):
    start = time.perf_counter()
    loss = step()
    # The first touches memory for the first time.
    if number:
        speeds.append(ROWS * TOKENS / (time.perf_counter() - start))
speeds.sort()
print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
print(f"{sum(w.numel() for w in weights)} weights to train, last loss {loss:.3f}")
print(
    f"training, {ROWS} x {TOKENS} tokens, f32, {torch.get_num_threads()} threads, logits of {options.logits}: "
    f"{speeds[-1]:.0f} tokens per second at best, {speeds[len(speeds) // 2]:.0f} in the median"
)
print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6} MB")
