"""Rows to write rationales for: 1,500 of the survey adapter's training rows and 64 of its validation rows, at random.

usage: sample.py SURVEY.jsonl OUT.jsonl   (the first from `select.py`, beside the card of sft-survey)
"""
import json, random, sys

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rng = random.Random(4)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for split, count in (("train", 1500), ("val", 64)):
        drawn = [row for row in rows if row["split"] == split]
        rng.shuffle(drawn)
        for row in drawn[:count]:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
