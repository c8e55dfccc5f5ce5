"""Half of the survey course's questions, at random, to be read a second time.

usage: again.py data/survey_course.jsonl OUT.jsonl
"""
import json, random, sys

lines = open(sys.argv[1], encoding="utf-8").readlines()
text = lambda line: json.loads(line)["text"]
questions = list(dict.fromkeys(map(text, lines)))
random.Random(3).shuffle(questions)
half = set(questions[: len(questions) // 2])
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.writelines(line for line in lines if text(line) in half)
