"""Convert files in Spark: their bytes in a column, results and errors in columns beside it.

    spark-submit convert_with_spark.py /data/archive /data/smaller.parquet

Every executor needs dicodec (its wheel of `make dist`). An error costs its row a text, not the job.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

import dicodec

SCHEMA = "path string, content binary, error string"


def convert_rows(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Convert the files of some rows; Spark calls it in processes of its executors."""
    for part in parts:
        contents, errors = [], []
        for content in part["content"]:
            try:
                # One thread a file, because Spark has a process for each core.
                result = dicodec.convert_bytes(content, to="htj2k-lossless", workers=1)
                contents.append(result)
                errors.append(None)
            except dicodec.DicodecError as error:
                contents.append(None)
                errors.append(f"{error} [{error.code}]")
        yield pd.DataFrame({"path": part["path"], "content": contents, "error": errors})


def convert_folder(spark: SparkSession, folder: str) -> DataFrame:
    """Return the results of all files of a folder."""
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder)
    return files.select("path", "content").mapInPandas(convert_rows, SCHEMA)


if __name__ == "__main__":
    session = SparkSession.builder.appName("dicodec").getOrCreate()
    # Small parts of a column, because each file is held in memory.
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "16")
    convert_folder(session, sys.argv[1]).write.mode("overwrite").parquet(sys.argv[2])
    session.stop()
