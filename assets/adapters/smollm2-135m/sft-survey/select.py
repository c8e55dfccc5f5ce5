"""Rows for the survey adapters: OpinionQA's MIT training prompts, without what the evaluation asks.

usage: select.py TRAIN.jsonl TEST.jsonl OUT.jsonl   (both first from `pluriscope import`)
Leaves out every question that shares 60 % of its words (Jaccard) with one of the evaluation; of the others takes
20 groups each at random; 40 questions become `val`.
"""
import json, random, re, sys

train, test, out = sys.argv[1:]
words = lambda text: frozenset(re.findall(r"\w+", text.lower()))
rows = lambda path: [json.loads(line) for line in open(path, encoding="utf-8")]
asked = {words(row["text"]) for row in rows(test)}
questions = {}
for row in rows(train):
    questions.setdefault((row["text"], json.dumps(row["options"])), []).append(row)
near = lambda a: any(len(a & b) >= 0.6 * len(a | b) for b in asked)
new = [key for key in questions if not near(words(key[0]))]
rng = random.Random(1)
rng.shuffle(new)
with open(out, "w", encoding="utf-8") as file:
    count = 0
    for place, key in enumerate(new):
        for row in rng.sample(questions[key], min(20, len(questions[key]))):
            row["split"] = "val" if place < 40 else "train"
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
print(len(questions), "questions,", len(new), "kept,", count, "rows")
