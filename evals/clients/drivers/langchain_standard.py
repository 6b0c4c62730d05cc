"""LangChain's own standard suite for chat models, with nothing left out: run by pytest in its environment."""

import os

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestThroughTheGateway(ChatModelIntegrationTests):
    """What the suite asks to be told of a model."""

    @property
    def chat_model_class(self):
        return ChatOpenAI

    @property
    def chat_model_params(self):
        return {"model": "auto", "base_url": os.environ["BASE_URL"], "api_key": "none", "stream_usage": True}

    @property
    def supports_json_mode(self):
        return True
