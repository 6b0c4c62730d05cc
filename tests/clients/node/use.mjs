// openai-node against the gateway whose base URL is the first argument.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];

const { data, response } = await client.chat.completions.create({ model: "auto", messages }).withResponse();
assert.equal(data.choices[0].message.content, "Hello from upstream.");
assert.ok(response.headers.get("x-stillhouse-tier"));
assert.ok(data._request_id.startsWith("req_"));

let text = "";
let usage = null;
const options = { model: "auto", messages, stream: true, stream_options: { include_usage: true } };
for await (const event of await client.chat.completions.create(options)) {
  text += event.choices[0]?.delta?.content ?? "";
  usage = event.usage ?? usage;
}
assert.equal(text, "Hello from upstream.");
assert.ok(usage.total_tokens > 0);

const final = await client.chat.completions.stream({ model: "auto", messages }).finalContent();
assert.equal(final, "Hello from upstream.");

const ids = (await client.models.list()).data.map((m) => m.id);
assert.ok(ids.includes("auto"));
assert.equal((await client.embeddings.create({ model: "embed", input: ["a", "b"] })).data.length, 2);

await assert.rejects(client.chat.completions.create({ model: "nope", messages }), (error) => {
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.equal(error.code, "model_not_found");
  return true;
});
console.log("ok");
