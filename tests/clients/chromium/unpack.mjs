// Unpack the browser of @sparticuz/chromium (Chromium's headless shell, for Linux on x86-64) beside this file, with
// the few libraries that a bare machine lacks. Nothing is fetched: all of it came with `npm ci`.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const packed = join("node_modules", "@sparticuz", "chromium", "bin");
const unpack = (name, to) => writeFileSync(to, brotliDecompressSync(readFileSync(join(packed, name))));

unpack("chromium.br", "headless_shell");
for (const name of ["al2023", "fonts"]) {
  unpack(`${name}.tar.br`, `${name}.tar`);
  execFileSync("tar", ["-xf", `${name}.tar`]);
  unlinkSync(`${name}.tar`);
}
writeFileSync(
  "chromium",
  `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/headless_shell" "$@"
`,
);
chmodSync("headless_shell", 0o755);
chmodSync("chromium", 0o755);
