"""The libraries that `autolog` knows, under MLflow's names, and who records them.

OpenInference instruments them, one package each, with OpenTelemetry's API. `modules` tell that the
library is installed (any of them).
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "openinference-instrumentation-"


class Flavor(NamedTuple):
    """A library, and the distribution of its instrumentor."""

    modules: tuple[str, ...]
    distribution: str


def _flavor(package: str, *modules: str) -> Flavor:
    return Flavor(modules, PREFIX + package)


FLAVORS: dict[str, Flavor] = {
    "ag2": _flavor("ag2", "ag2"),
    "agent_framework": _flavor("agent-framework", "agent_framework"),
    "agno": _flavor("agno", "agno"),
    "anthropic": _flavor("anthropic", "anthropic"),
    "autogen": _flavor("autogen-agentchat", "autogen_agentchat"),
    "bedrock": _flavor("bedrock", "boto3"),
    "claude_agent_sdk": _flavor("claude-agent-sdk", "claude_agent_sdk"),
    "crewai": _flavor("crewai", "crewai"),
    "dspy": _flavor("dspy", "dspy"),
    "gemini": _flavor("google-genai", "google.genai"),
    "google_adk": _flavor("google-adk", "google.adk"),
    "groq": _flavor("groq", "groq"),
    "haystack": _flavor("haystack", "haystack"),
    "langchain": _flavor("langchain", "langchain_core"),
    "litellm": _flavor("litellm", "litellm"),
    "llama_index": _flavor("llama-index", "llama_index"),
    "mistral": _flavor("mistralai", "mistralai"),
    "openai": _flavor("openai", "openai"),
    "openai_agents": _flavor("openai-agents", "agents"),
    "smolagents": _flavor("smolagents", "smolagents"),
    "strands": _flavor("strands-agents", "strands"),
    "vertexai": _flavor("vertexai", "vertexai"),
}
# Libraries that are often there for something else: their absence from traces is no news.
QUIET = frozenset({"bedrock", "openai_agents", "vertexai"})
# MLflow's flavors that are switched on in another way.
ELSEWHERE = {
    "langgraph": "whence.langchain.autolog() records LangGraph too",
    "pydantic_ai": (
        "Pydantic AI records itself: call whence.configure(otel=True), "
        "then pydantic_ai.Agent.instrument_all()"
    ),
    "semantic_kernel": (
        "Semantic Kernel records itself through OpenTelemetry: call whence.configure(otel=True), "
        "and set SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS=true"
    ),
    "spring_ai": "Spring AI is Java; it sends to Whence by OpenTelemetry",
}
