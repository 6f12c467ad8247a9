"""What an unmodified MLflow client asks of its tracking server: one module for each noun.

Every path lies under `/api/2.0/mlflow` and `/api/3.0/mlflow`, with aliases under `/ajax-api`. All
of it is written by what clients send and expect; MLflow itself is neither needed nor imported.
"""
