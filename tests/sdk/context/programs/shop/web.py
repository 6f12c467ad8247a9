"""The shop on the web, for ASGI and WSGI servers."""

from shop.asking import ask


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = str(ask()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def create_app():
    return app


def wsgi(environ, start_response):
    body = str(ask()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
