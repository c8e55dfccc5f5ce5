"""Validates exported labels with the other tools' own models: label-studio-sdk, argilla and pyarrow.

usage: validate.py FOLDER, which holds tasks.json, tasks.xml, argilla/ and labels.parquet
"""

import json
import sys
import uuid
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])

# Label Studio: the interface is valid, and every annotation fits it.
from label_studio_sdk.label_interface import LabelInterface

interface = LabelInterface((folder / "tasks.xml").read_text())
interface.validate()
tasks = json.loads((folder / "tasks.json").read_text())
annotations = 0
for task in tasks:
    assert interface.validate_task({"data": task["data"]}), task["data"].keys()
    for annotation in task["annotations"]:
        errors = interface.validate_prediction(annotation, return_errors=True)
        assert not errors, errors
        assert interface.validate_annotation(annotation)
        annotations += 1

# Argilla: settings and records as its own loaders read them, and every response fits its question.
from unittest.mock import MagicMock

import argilla as rg
from argilla._models import DatasetModel
from argilla.records._io import JsonIO

# The loaders ask for a client and send it nothing: no server is needed to read a folder.
rg.Argilla._get_default = classmethod(lambda cls: MagicMock())
DatasetModel(**json.loads((folder / "argilla/.argilla/dataset.json").read_text()))
settings = rg.Settings.from_json(folder / "argilla/.argilla/settings.json")
settings.validate()
questions = {question.name: question for question in settings.questions}
records = JsonIO._records_from_json(folder / "argilla/records.json")
for record in records:
    assert record.fields["trace_output"]
    for response in record.responses:
        question = questions[response.question_name]
        uuid.UUID(str(response.user_id))
        kind, value = question.type, response.value
        if kind == "label_selection":
            assert value in question.labels, (question.name, value)
        elif kind == "multi_label_selection":
            assert value and set(value) <= set(question.labels), (question.name, value)
        elif kind == "rating":
            assert value in question.values, (question.name, value)
        elif kind == "span":
            assert all(s["label"] in question.labels and s["start"] < s["end"] for s in value)
        else:
            assert isinstance(value, str) and value

# Parquet: as pyarrow reads it.
import pyarrow.parquet as pq

table = pq.read_table(folder / "labels.parquet")
assert table.schema.field("sample").type == "int64" and table.schema.field("saved").type == "bool"
print(f"{annotations} annotations, {len(records)} records, {table.num_rows} rows")
