"""Starts uvicorn with workers, by the application's name."""

import sys

import uvicorn

if __name__ == "__main__":
    uvicorn.run("shop.web:app", port=int(sys.argv[1]), workers=2)
