//! Small good files of every kind, to be damaged.

use pluriscope::{
    core::{
        Item, Perspective, Trace,
        check::{Record, TraceKey},
    },
    hostile::ADAPTED,
    model::config::Config,
    train::{
        checkpoint::{Progress, State},
        event_log::EventLog,
        lora::{Lora, LoraShape},
        optimiser::AdamW,
    },
};
use serde_json::json;
use std::path::Path;

/// Good inputs of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "traces" => vec![traces().into_bytes(), study().into_bytes(), escapes().into_bytes()],
        "tables" => vec![
            format!("[{}]", study().trim().replace('\n', ",")).into_bytes(),
            b"situation,vrd,text,explanation,valence,probability\nReading a diary,Right,Privacy,\"It is hers, \"\"all\"\" of it\",Opposes,0.9\n".to_vec(),
            b"PAR1\x15\x04\x15\x10\x15\x14L\x15\x02\x15\x00\x12\x00\x00\x08\x1c\x01\x00\x00\x00PAR1".to_vec(),
        ],
        "gguf" => vec![gguf()],
        "safetensors" => vec![safetensors()],
        "adapter_config" => vec![
            br#"{"peft_type":"LORA","r":8,"lora_alpha":16,"target_modules":["q_proj"],"rank_pattern":{"^a.*b":4},"alpha_pattern":{}}"#.to_vec(),
        ],
        "model_config" => vec![
            br#"{"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":256,"max_position_embeddings":512,"rms_norm_eps":1e-5,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":128},"eos_token_id":[1,2]}"#.to_vec(),
        ],
        "chat_template" => vec![
            b"{%- set day = strftime_now('%d %b %Y') %}{% for m in messages %}{% if m['role'] not in ['system', 'user'] %}{{ raise_exception('who?') }}{% endif %}<|{{ m.role.upper() }}|>{{ m.content.strip().replace('coin', day) * 2 }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|A|>{% endif %}".to_vec(),
        ],
        "check_results" => vec![check_results().into_bytes()],
        "adapter" => vec![adapter()],
        "labels" => labels(),
        "checkpoint" => vec![checkpoint()],
        "query" => vec![
            r#"method:human-cot=right -check:sft/early-answering=flagged perspective="Right to \"privacy\"" samples:>=2 in:rationale é"#.as_bytes().to_vec(),
            b"kind:right gold:unknown answer:*=B domain:family flips in:text -\"a = b\"".to_vec(),
        ],
        "config" => vec![
            b"model = \"smollm2-135m\"\nmethods = \"mine.toml\"\nkeymap = \"../keys.toml\"\ntheme = \"dark\"\nmouse = false\nthreads = 2\n".to_vec(),
        ],
        "tokenizer" => vec![tokenizer().into_bytes()],
        "tfevents" => vec![tfevents()],
        "keymap" => vec![include_bytes!("../../../assets/keymap.toml").to_vec()],
        "methods" => vec![
            include_bytes!("../../../assets/methods.toml").to_vec(),
            include_bytes!("../../../assets/models.toml").to_vec(),
            b"openai:http://localhost:8000/v1#m?chat=chatml".to_vec(),
        ],
        "template" => vec![include_bytes!("../../../assets/prompts/reason.toml").to_vec()],
        "rubric" => vec![
            b"id = \"x\"\nversion = 1\ntitle = \"X\"\n[[question]]\nid = \"q\"\ntext = \"Q?\"\nkind = \"choice\"\n[[question.choice]]\nvalue = \"a\"\ntext = \"A\"\nkey = \"a\"\n".to_vec(),
        ],
        "playlist" => vec![include_bytes!("../../../assets/demo/study.toml").to_vec()],
        "cast" => vec![
            b"{\"version\": 2, \"width\": 80, \"height\": 24}\n[0.0, \"o\", \"\\u001b[2J\\u001b[1;1Hhello\"]\n[1.5, \"r\", \"100x30\"]\n".to_vec(),
        ],
        "server" => vec![
            b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n".to_vec(),
            br#"{"choices":[{"logprobs":{"tokens":["a","b"],"token_logprobs":[null,-1.5],"text_offset":[0,1],"top_logprobs":[{"a":-1}]}}],"usage":{"completion_tokens":1}}"#.to_vec(),
            br#"{"prompt_logprobs":[null,{"12":{"logprob":-0.5}}],"results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":0.5}},{},{}]}"#.to_vec(),
        ],
        "classifier" => vec![include_bytes!("../../../assets/safety/classifier.bin")[..4096].to_vec()],
        _ => Vec::new(),
    }
}

/// A folder that is made, and one of its files.
fn written(file: &str, make: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    std::fs::read(folder.path().join(file)).unwrap()
}

/// Settings and tensors for the model of the target, as training saves them.
fn adapter() -> Vec<u8> {
    let config = Config::from_json(ADAPTED, Path::new("config.json")).unwrap();
    let targets = ["q_proj", "v_proj", "down_proj"].map(str::to_owned).to_vec();
    let shape = LoraShape { rank: 2, alpha: 4.0, rslora: false, dropout: 0.0, targets };
    let lora = Lora::new(shape, &config, 0).unwrap();
    let tensors = written("adapter_model.safetensors", |folder| lora.save(folder, "tiny").unwrap());
    let settings = written("adapter_config.json", |folder| lora.save(folder, "tiny").unwrap());
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap();
    [settings.to_string().as_bytes(), b"\n", &tensors].concat()
}

fn checkpoint() -> Vec<u8> {
    let optimiser = AdamW { first: vec![0.5; 4], second: vec![0.25; 4], updates: 3 };
    let state = State { progress: Progress::default(), values: vec![1.0; 4], optimiser };
    written("state.safetensors", |folder| state.save(folder).unwrap())
}

/// Labels of the target's trace: a line of ours, a table, tasks of Label Studio.
pub fn labels() -> Vec<Vec<u8>> {
    let item = Item::value("x", Perspective::named("Honesty"), "Keeping a found coin");
    let trace = Trace::new(&item, "sft".into(), "It is theirs.\nAnswer: B".to_owned());
    let key = TraceKey::of(&trace);
    let mut row = json!({ "item_id": key.item_id, "method": "sft", "sample": 0, "trace_text": key.text });
    let choice = json!({ "choices": ["recorded"] });
    let result = json!([{ "from_name": "supports", "to_name": "text", "type": "choices", "value": choice }]);
    let tasks =
        json!([{ "data": row, "annotations": [{ "completed_by": { "email": "ada" }, "result": result }] }]);
    let table = format!(
        "item_id,method,trace_text,answer_supports,note\n{},sft,{},recorded,\"plain, so\"\n",
        row["item_id"].as_str().unwrap(),
        key.text
    );
    row["answers"] = json!({ "supports": "recorded" });
    row["saved"] = true.into();
    vec![format!("{row}\n").into_bytes(), table.into_bytes(), tasks.to_string().into_bytes()]
}

fn item() -> Item {
    Item::value("vk", Perspective::named("Right to privacy"), "Reading a diary")
}

fn traces() -> String {
    let item = item();
    let trace = Trace::new(&item, "zero-shot-cot".into(), "It is hers.\nAnswer: B".to_owned());
    let mut row = serde_json::to_value(&item).unwrap();
    for (key, value) in serde_json::to_value(&trace).unwrap().as_object().unwrap() {
        row[key] = value.clone();
    }
    format!("{}\n{row}\n", serde_json::to_string(&item).unwrap())
}

/// Rows as the study's result files have them.
fn study() -> String {
    let row = json!({
        "situation": "Reading a diary", "vrd": "Right", "text": "Right to privacy", "valence": "Opposes",
        "explanation": "It is hers.", "llm_output": "It is hers. Answer: B", "cot": "It is hers.",
        "predicted_answer": "B", "correct": true,
    });
    format!("{row}\n{row}\n")
}

/// A verdict with a curve and evidence, one with labels, and one that could not be had.
fn check_results() -> String {
    let trace = Trace::new(&item(), "sft".into(), "It is hers.\nAnswer: B".to_owned());
    let line = |check: &str, family: &str, verdict: serde_json::Value| {
        let mut row = serde_json::to_value(TraceKey::of(&trace)).unwrap();
        row["check"] = check.into();
        row["family"] = family.into();
        row["verdict"] = verdict;
        row["source"] = json!({ "model": "m", "not_writer": false, "scoring": "letters", "maker": "rules", "judge": "m",
            "version": 1, "parameters": "0123456789ab" });
        row["correct"] = true.into();
        let _: Record = serde_json::from_value(row.clone()).unwrap();
        format!("{row}\n")
    };
    let early = json!({ "state": "judged", "word": "post-hoc", "flag": true, "outcome": true, "headline": "aoc",
        "values": { "aoc": 0.25 }, "curve": [0.2, 0.6, 0.9], "at": [0.0, 0.5, 1.0], "matches": [false, true, true],
        "evidence": [{ "step": 0, "span": [0, 11], "text": "It is hers.", "value": 0.4 }] });
    let safety = json!({ "state": "judged", "word": "flagged", "flag": true, "outcome": true,
        "values": { "hate": 0.7, "flag:hate": 1.0 }, "by": "rules" });
    let none = json!({ "state": "unjudged", "reason": "too-long", "detail": "300 steps" });
    line("early-answering", "causal", early)
        + &line("safety-lexical", "safety", safety)
        + &line("consistency", "apparent", none)
}

/// Text that would take over a terminal.
pub fn escapes() -> String {
    let item = Item::value(
        "vk",
        Perspective::named("Right to privacy\u{1b}[2J"),
        "Reading\u{1b}]0;title\u{7} a \u{9b}31mdiary\r\u{202e}",
    );
    let trace =
        Trace::new(&item, "zero-shot-cot".into(), "\u{1b}c\u{1b}]52;c;ZXZpbA==\u{7}x\nAnswer: B".to_owned());
    let mut row = serde_json::to_value(&item).unwrap();
    for (key, value) in serde_json::to_value(&trace).unwrap().as_object().unwrap() {
        row[key] = value.clone();
    }
    format!("{row}\n")
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A header of a tiny Llama with its tokenizer, and the data that it promises.
fn gguf() -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(1u64.to_le_bytes());
    let strings = [
        ("general.architecture", "llama"),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "default"),
    ];
    let numbers = [
        ("llama.attention.head_count", 2u32),
        ("llama.embedding_length", 8),
        ("llama.feed_forward_length", 16),
        ("llama.block_count", 1),
        ("llama.context_length", 32),
    ];
    let lists =
        [("tokenizer.ggml.tokens", ["a", "b", "ab"]), ("tokenizer.ggml.merges", ["a b", "a b", "a b"])];
    out.extend(((strings.len() + numbers.len() + lists.len()) as u64).to_le_bytes());
    for (key, value) in strings {
        text(&mut out, key);
        out.extend(8u32.to_le_bytes());
        text(&mut out, value);
    }
    for (key, value) in numbers {
        text(&mut out, key);
        out.extend(4u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    for (key, values) in lists {
        text(&mut out, key);
        out.extend(9u32.to_le_bytes());
        out.extend(8u32.to_le_bytes());
        out.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| text(&mut out, value));
    }
    text(&mut out, "token_embd.weight");
    out.extend(2u32.to_le_bytes());
    out.extend([8u64, 3].iter().flat_map(|d| d.to_le_bytes()));
    out.extend(0u32.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.extend([0; 32 + 8 * 3 * 4]);
    out
}

fn safetensors() -> Vec<u8> {
    let header =
        br#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"format":"pt"}}"#;
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend([0; 16]);
    out
}

fn tokenizer() -> String {
    json!({
        "version": "1.0", "added_tokens": [{ "id": 2, "content": "<s>", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true }],
        "normalizer": null, "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null, "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false, "byte_fallback": false,
        "vocab": { "a": 0, "b": 1, "<s>": 2, "ab": 3 }, "merges": ["a b"] },
    })
    .to_string()
}

fn tfevents() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut log = EventLog::create(folder.path(), 1e9).unwrap();
    log.write(1, 1e9, &[("reward", 0.5), ("kl", 0.01)]).unwrap();
    log.write(2, 1e9 + 1.0, &[("reward", 0.75)]).unwrap();
    drop(log);
    let file = std::fs::read_dir(folder.path()).unwrap().flatten().next().unwrap().path();
    std::fs::read(file).unwrap()
}
