// Anthropic's SDK for JavaScript.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { about, run, url } from "./case.mjs";

const client = new Anthropic({ baseURL: url.replace(/\/v1$/, ""), apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const asked = { model: "auto", max_tokens: 100, messages };
const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

about("@anthropic-ai/sdk");
await run({
  whole: async () => assert.equal((await client.messages.create(asked)).content[0].text, "Hello from upstream."),
  streamed: async () => assert.equal(await client.messages.stream(asked).finalText(), "Hello from upstream."),
  tools: async () => {
    const answer = await client.messages.create({ ...asked, tools: [{ name: "weather", input_schema }] });
    assert.deepEqual(answer.content.find((block) => block.type === "tool_use").input, { city: "서울" });
  },
  "unknown model": async () => {
    await assert.rejects(client.messages.create({ ...asked, model: "nope" }), Anthropic.NotFoundError);
  },
});
