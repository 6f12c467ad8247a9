"""The smallest traced program; it needs no server: the traces land in ./.whence."""

import whence

whence.configure(app_version="2.1.0", environment="production")


@whence.trace
def answer(question: str) -> str:
    whence.update_current_trace(session_id="session-abc-456", metadata={"region": "eu-west-1"})
    return question.upper()


print(answer("which code did this come from?"))
found = whence.search_traces(filter_string="metadata.app_version = '2.1.0'", return_type="list")
print(f"{len(found)} trace(s) of version 2.1.0")
