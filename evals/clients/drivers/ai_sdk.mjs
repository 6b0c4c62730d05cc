// Vercel's AI SDK: the compatible provider, OpenAI's over chat, and OpenAI's default, which is Responses.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { about, run, url } from "./case.mjs";

const compatible = createOpenAICompatible({ name: "gw", baseURL: url, apiKey: "none", includeUsage: true });
const openai = createOpenAI({ baseURL: url, apiKey: "none" });
const prompt = "hi";
const hello = "Hello from upstream.";
const tools = { weather: tool({ description: "d", inputSchema: z.object({ city: z.string() }), execute: async (a) => a.city }) };
const schema = z.object({ name: z.string(), age: z.number() });
const once = { maxRetries: 0 };

const cases = {};
for (const [kind, model] of [["compatible", compatible("auto")], ["chat", openai.chat("auto")], ["responses", openai("auto")]]) {
  cases[`${kind}: whole`] = async () => assert.equal((await generateText({ model, prompt, ...once })).text, hello);
  cases[`${kind}: streamed`] = async () => {
    let failed = null;
    const stream = streamText({ model, prompt, ...once, onError: ({ error }) => (failed = error) });
    let text = "";
    for await (const part of stream.textStream) text += part;
    if (failed) throw failed;
    assert.equal(text, hello);
    assert.ok((await stream.usage).totalTokens > 0);
  };
  cases[`${kind}: tools in steps`] = async () => {
    assert.match((await generateText({ model, prompt, tools, stopWhen: stepCountIs(3), ...once })).text, /sunny/);
  };
  cases[`${kind}: tools streamed`] = async () => {
    let failed = null;
    const stream = streamText({ model, prompt, tools, stopWhen: stepCountIs(3), ...once, onError: ({ error }) => (failed = error) });
    let text = "";
    for await (const part of stream.textStream) text += part;
    if (failed) throw failed;
    assert.match(text, /sunny/);
  };
  cases[`${kind}: an object`] = async () => {
    if (kind === "compatible") {
      // it sends no schema, so the prompt has to say what is wanted
      assert.equal((await generateObject({ model, prompt: "name and age, as JSON", schema, ...once })).object.age, 30);
    } else {
      assert.equal((await generateObject({ model, prompt, schema, ...once })).object.age, 3);
    }
  };
}
cases["embeddings"] = async () => {
  const { embeddings } = await embedMany({ model: compatible.textEmbeddingModel("embed"), values: ["a", "b"], ...once });
  assert.equal(embeddings.length, 2);
};
cases["unknown model"] = async () => {
  await assert.rejects(generateText({ model: compatible("nope"), prompt, ...once }), /does not exist/);
};

about("ai");
await run(cases);
