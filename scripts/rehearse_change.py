"""For rehearse.sh, as the App Server would: `send FILE` thirty tasks, six of them for later; `collect FILE` counts who did them."""

import os
import sys

from celery import Celery

app = Celery(broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_default_queue = "generator_queue"
five = dict(gender="female", age_range="25-35", body_type="average", pose="front standing", style="professional")

what, file = sys.argv[1:]
if what == "send":
    with open(file, "w") as ids:
        for n in range(30):
            task = app.send_task("generate_model", kwargs=five, countdown=15 if n % 5 == 4 else None)
            ids.write(task.id + "\n")
else:
    by_python = 0
    with open(file) as ids:
        results = [app.AsyncResult(one.strip()).get(timeout=180) for one in ids]
    for result in results:
        by_python += result.get("by") == "stock"
    print(f"{by_python} by Python, {len(results) - by_python} by ours")
