// openai-node: chat, helpers, tools, embeddings, models, errors, Responses.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { about, run, url } from "./case.mjs";

const client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const hello = "Hello from upstream.";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

about("openai");
await run({
  whole: async () => {
    const { data, response } = await client.chat.completions.create({ model: "auto", messages }).withResponse();
    assert.equal(data.choices[0].message.content, hello);
    assert.ok(response.headers.get("x-stillhouse-tier"));
    assert.ok(data._request_id.startsWith("req_"));
  },
  "streamed with usage": async () => {
    let text = "", usage = null;
    const options = { model: "auto", messages, stream: true, stream_options: { include_usage: true } };
    for await (const event of await client.chat.completions.create(options)) {
      text += event.choices[0]?.delta?.content ?? "";
      usage = event.usage ?? usage;
    }
    assert.equal(text, hello);
    assert.ok(usage.total_tokens > 0);
  },
  "stream helper": async () => {
    assert.equal(await client.chat.completions.stream({ model: "auto", messages }).finalContent(), hello);
  },
  "run tools": async () => {
    const weather = { name: "weather", parameters, function: (a) => a.city, parse: JSON.parse, description: "d" };
    const tools = [{ type: "function", function: weather }];
    assert.match(await client.chat.completions.runTools({ model: "auto", messages, tools }).finalContent(), /sunny/);
  },
  embeddings: async () => {
    assert.equal((await client.embeddings.create({ model: "embed", input: ["a", "b"] })).data[0].embedding.length, 4);
  },
  models: async () => {
    assert.ok((await client.models.list()).data.map((m) => m.id).includes("auto"));
    assert.equal((await client.models.retrieve("auto")).id, "auto");
  },
  "unknown model": async () => {
    await assert.rejects(client.chat.completions.create({ model: "nope", messages }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "model_not_found");
      return true;
    });
  },
  responses: async () => {
    assert.equal((await client.responses.create({ model: "auto", input: "hi" })).output_text, hello);
  },
  "responses streamed": async () => {
    const stream = client.responses.stream({ model: "auto", input: "hi" });
    assert.equal((await stream.finalResponse()).output_text, hello);
  },
});
