"""Our own REST under `/api/v1`: one module for each noun, JSON in and out."""
