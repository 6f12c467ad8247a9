"""A FastAPI service whose traces carry their session, user, environment and version.

    uv run --with fastapi --with uvicorn python examples/fastapi_chat.py

The tracing decorator stands outside the route decorator; the other order works as well.
"""

import os

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

import whence as mlflow

app = FastAPI()


class ChatRequest(BaseModel):
    message: str


@mlflow.trace
@app.post("/chat")
def handle_chat(request: Request, chat_request: ChatRequest):
    mlflow.update_current_trace(
        client_request_id=request.headers.get("X-Request-ID"),
        metadata={
            "mlflow.trace.session": request.headers.get("X-Session-ID"),
            "mlflow.trace.user": request.headers.get("X-User-ID"),
            "mlflow.source.type": os.getenv("APP_ENVIRONMENT", "development"),
            "environment": "production",
            "app_version": os.getenv("APP_VERSION", "1.0.0"),
            "deployment_id": os.getenv("DEPLOYMENT_ID", "unknown"),
            "region": os.getenv("REGION", "us-east-1"),
        },
    )
    return {"response": f"Processed message: '{chat_request.message}'"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.getenv("PORT", "8000")), log_level="warning")
