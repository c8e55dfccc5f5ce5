//! Small good files of every kind, to be damaged.

use pluriscope::{
    core::{Item, Perspective, Trace},
    train::event_log::EventLog,
};
use serde_json::json;

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
