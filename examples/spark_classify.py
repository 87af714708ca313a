"""Classify the articles of Parquet files with Spark: their columns, and a `prediction`, are written to other files.

    python examples/spark_classify.py --model models/security-themes.joblib INPUT OUTPUT

On every node the package is installed, and the model lies under the same path.
"""

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, StringType, StructField, StructType

from pipeline import PipelineError, Prediction, classify, load_model
from pipeline.errors import DataError

PREDICTION = "struct<themes: array<string>, primary: string, scores: map<string, double>, none: double>"
ARROW = pa.struct(
    {
        "themes": pa.list_(pa.string()),
        "primary": pa.string(),
        "scores": pa.map_(pa.string(), pa.float64()),
        "none": pa.float64(),
    }
)
load = functools.cache(load_model)  # once a worker process, however many tasks and batches it is given


def classify_articles(articles: DataFrame, model: str, text: str = "text") -> DataFrame:
    """Add a column `prediction` to articles; it is null where the text is.

    Parameters
    ----------
    articles : DataFrame
        With a column of strings named `text`, as for `pipeline.classify`.
    model : str
        Path of the model on every node.
    text : str
        Name of the column.

    Raises
    ------
    DataError
        If there is no such column, or it holds no strings.
    """
    types = {field.name: field.dataType for field in articles.schema}
    if not isinstance(types.get(text), StringType):
        found = f"is {types[text].simpleString()}, not string; cast it" if text in types else "is missing"
        raise DataError(f"column {text!r} {found}; there are: {', '.join(types)}")
    schema = StructType([*articles.schema.fields, StructField("prediction", DataType.fromDDL(PREDICTION))])
    return articles.mapInArrow(lambda batches: _classify_batches(batches, model, text), schema)


def _classify_batches(batches: Iterator[pa.RecordBatch], model: str, text: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        texts = batch.column(text).to_pylist()
        found = iter(classify(load(model), [each for each in texts if each is not None]))
        rows = [None if each is None else _to_row(next(found)) for each in texts]
        yield batch.append_column("prediction", pa.array(rows, ARROW))


def _to_row(prediction: Prediction) -> dict[str, object]:
    return {
        "themes": prediction.themes,
        "primary": prediction.primary,
        "scores": list(prediction.scores.items()),
        "none": prediction.none,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job on the Spark that ``spark-submit`` names, or on this machine's processors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/security-themes.joblib")
    parser.add_argument("input")
    parser.add_argument("output")
    options = parser.parse_args(arguments)
    spark = SparkSession.builder.appName("security-themes").getOrCreate()
    spark.sparkContext.addPyFile(__file__)
    try:
        load(options.model)  # what is wrong with it is said here, not by each worker
        classify_articles(spark.read.parquet(options.input), options.model).write.parquet(options.output)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        spark.stop()
    return 0


if __name__ == "__main__":
    # Under its own name, not as __main__, workers import it and keep its cache from one task to the next.
    import spark_classify

    raise SystemExit(spark_classify.main())
