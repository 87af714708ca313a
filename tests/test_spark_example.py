"""The Spark job of examples/, on two local cores; skipped where pyspark, an extra of its own, is not installed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline import classify, load_model
from pipeline.config import read_config
from pipeline.train import train

from .conftest import ROOT, make_toy_articles, write_toy_project
from .test_service_example import load_example

pytest.importorskip("pyspark")
pytestmark = pytest.mark.filterwarnings("default")  # Spark's own


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("spark")
    return str(train(read_config(write_toy_project(folder)), folder / "models").path)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load_example("spark_classify")


@pytest.fixture(scope="module")
def spark(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ |= {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "10")
        .getOrCreate()
    )
    session.sparkContext.addPyFile(str(ROOT / "examples/spark_classify.py"))
    yield session
    session.stop()


def test_every_row_is_answered_as_classify_does(spark: Any, example: ModuleType, model: str, tmp_path: Path) -> None:
    texts = [article["text"] for article in make_toy_articles(200, seed=5)]
    rows = [*enumerate([*texts, "", "only Latin"]), (900, None)]
    spark.createDataFrame(rows, "id long, text string").repartition(4).write.parquet(str(tmp_path / "in"))
    articles = spark.read.parquet(str(tmp_path / "in"))
    example.classify_articles(articles, model).write.parquet(str(tmp_path / "out"))
    found = {row["id"]: row.asDict(recursive=True) for row in spark.read.parquet(str(tmp_path / "out")).collect()}
    assert found.pop(900) == {"id": 900, "text": None, "prediction": None}
    assert len(found) == len(texts) + 2
    for number, prediction in enumerate(classify(load_model(model), [*texts, "", "only Latin"])):
        assert found[number]["prediction"] == {
            "themes": list(prediction.themes),
            "primary": prediction.primary,
            "scores": prediction.scores,
            "none": prediction.none,
        }


def test_a_worker_loads_the_model_once(spark: Any, example: ModuleType, model: str) -> None:
    articles = spark.createDataFrame([("ميناء",)] * 400, "text string").repartition(8)  # of 5 batches each

    def count_loads(batches: Any) -> Any:
        import os

        import pyarrow as pa
        import spark_classify

        for _ in spark_classify._classify_batches(batches, model, "text"):
            loads = spark_classify.load.cache_info()
            yield pa.RecordBatch.from_pydict({"worker": [os.getpid()], "loads": [loads.misses], "uses": [loads.hits]})

    counted = articles.mapInArrow(count_loads, "worker long, loads long, uses long").collect()
    assert len(counted) == 40
    assert {row["loads"] for row in counted} == {1}
    assert max(row["uses"] for row in counted) >= 5  # more than the batches of one task


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("text long", "column 'text' is bigint, not string; cast it; there are: text"),
        ("body string", "column 'text' is missing; there are: body"),
        ("text array<string>", "column 'text' is array<string>, not string"),
    ],
)
def test_a_column_that_cannot_be_read(spark: Any, example: ModuleType, model: str, schema: str, message: str) -> None:
    from pipeline.errors import DataError

    with pytest.raises(DataError) as error:
        example.classify_articles(spark.createDataFrame([], schema), model)
    assert message in str(error.value)
