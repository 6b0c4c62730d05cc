"""The ``topics`` guard: what a policy will not talk about, said in a definition and a few examples."""

from guardrails.topics.check import JudgedTopics, compile_judged_topics
from guardrails.topics.config import JudgedTopicsConfig, Topic, TopicsConfig
from guardrails.topics.family import TopicFamily, compile_topics

__all__ = [
    "JudgedTopics",
    "JudgedTopicsConfig",
    "Topic",
    "TopicFamily",
    "TopicsConfig",
    "compile_judged_topics",
    "compile_topics",
]
