"""The ``topics`` guard: what a policy will not talk about, said in a definition and a few examples."""

from guardrails.topics.config import Topic, TopicsConfig
from guardrails.topics.family import TopicFamily, compile_topics

__all__ = ["Topic", "TopicFamily", "TopicsConfig", "compile_topics"]
