"""Starts uvicorn with the application itself."""

import sys

import uvicorn
from shop.web import app

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]))
