// For drivers in JavaScript: run each case, print one JSON line for it.
import { readFileSync } from "node:fs";

export const url = process.argv[2];

export function about(name, folder = process.cwd()) {
  const { version } = JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, "utf8"));
  console.log(JSON.stringify({ client: name, version }));
}

export async function run(cases) {
  for (const [name, work] of Object.entries(cases)) {
    try {
      await work();
      console.log(JSON.stringify({ case: name, ok: true }));
    } catch (error) {
      console.log(JSON.stringify({ case: name, ok: false, why: String(error?.message ?? error).slice(0, 400) }));
    }
  }
}
