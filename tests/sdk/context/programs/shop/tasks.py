"""The shop's tasks, in Celery, by a broker of files."""

import os
from pathlib import Path

from celery import Celery

from shop.asking import ask

folder = Path(os.environ["QUEUE"])
app = Celery(
    "shop",
    broker="filesystem://",
    broker_transport_options={
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    },
)


@app.task
def ask_later() -> None:
    ask()
