"use strict";
// The table of all rows. Words of the run reach the page through textContent only.
(async () => {
  const LINE = 38, SPARE = 8;
  const columns = new Map();
  const state = { picked: new Map(), query: "", outcome: "", sort: "", down: true, shown: new Int32Array(0), at: -1 };
  let rows = 0, haystack = [];

  const make = (tag, attributes = {}, ...inside) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...inside);
    return node;
  };

  async function read() {
    const packed = document.getElementById("data").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const data = JSON.parse(await new Response(plain).text());
    rows = data.n;
    for (const column of data.columns) columns.set(column.key, column);
    const [id, prompt, answer] = ["id", "prompt", "answer"].map((key) => columns.get(key).values);
    haystack = prompt.map((text, row) => `${id[row]}\n${text}\n${answer[row]}`.toLowerCase());
  }

  const raw = (key, row) => columns.get(key).values[row];
  const money = (nano) => {
    const dollars = nano / 1e9;
    return "$" + (dollars === 0 ? "0" : dollars.toFixed(dollars >= 1 ? 2 : dollars >= 0.01 ? 4 : 6));
  };
  const written = {
    quality: (value) => value.toFixed(2),
    delta: (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(2),
    cost: money,
    latency: (value) => (value < 1000 ? `${value} ms` : `${(value / 1000).toFixed(1)} s`),
    chance: (value) => `${Math.round(100 * value)} %`,
  };
  function cell(key, row) {
    const column = columns.get(key), value = column.values[row];
    if (column.kind === "word") return column.names[value];
    if (value === null) return "–";
    return column.kind === "number" ? (written[key] || String)(value) : value;
  }

  // --- which rows
  const outcomes = {
    wrong: (row) => raw("quality", row) !== null && raw("quality", row) < 1,
    right: (row) => raw("quality", row) === 1,
    unknown: (row) => raw("quality", row) === null,
    worse: (row) => raw("delta", row) < 0,
    better: (row) => raw("delta", row) > 0,
  };
  const labels = { wrong: "below 1", right: "exactly 1", unknown: "not judged", worse: "got worse", better: "got better" };

  function ordered() {
    const index = Int32Array.from({ length: rows }, (_, row) => row);
    if (!state.sort) return index;
    const { kind, values, names } = columns.get(state.sort);
    const turn = state.down ? -1 : 1;
    if (kind === "number") {
      // unknown ones last, whichever way
      return index.sort((a, b) => (values[a] === null) - (values[b] === null) || turn * (values[a] - values[b]) || a - b);
    }
    const spell = new Intl.Collator("en", { numeric: true });
    if (kind === "word") {
      const place = names.map((name, code) => [name, code]).sort((a, b) => spell.compare(a[0], b[0]));
      const rank = new Int32Array(names.length);
      place.forEach(([, code], position) => { rank[code] = position; });
      return index.sort((a, b) => turn * (rank[values[a]] - rank[values[b]]) || a - b);
    }
    return index.sort((a, b) => turn * spell.compare(values[a], values[b]) || a - b);
  }

  let order = new Int32Array(0);
  function filter() {
    const began = performance.now();
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    const picked = [...state.picked].map(([key, code]) => [columns.get(key).values, code]);
    const outcome = outcomes[state.outcome];
    const kept = new Int32Array(rows);
    let count = 0;
    for (const row of order) {
      if (picked.some(([values, code]) => values[row] !== code)) continue;
      if (outcome && !outcome(row)) continue;
      if (words.length && !words.every((word) => haystack[row].includes(word))) continue;
      kept[count++] = row;
    }
    state.shown = kept.subarray(0, count);
    state.at = -1;
    body.scrollTop = 0;
    draw();
    told.textContent = `${count.toLocaleString("en")} of ${rows.toLocaleString("en")} rows`;
    told.dataset.milliseconds = (performance.now() - began).toFixed(2);
  }

  // --- what is drawn
  let shownColumns = [];
  const body = make("div", { class: "body", tabindex: "0", role: "rowgroup", "aria-label": "Rows: arrow keys move, Enter opens" });
  const space = make("div", { class: "space", role: "presentation" });
  const head = make("div", { class: "row head", role: "row" });
  const told = make("p", { class: "count", role: "status" });
  body.append(space);

  function choose() {
    const widths = { id: "minmax(4em, 6.5em)", quality: "3.6em", delta: "3.8em", cost: "6.2em", latency: "4.2em", tier: "4.2em", target: "minmax(3em, 5.5em)", prompt: "minmax(8em, 1fr)" };
    const narrow = body.clientWidth < 620;
    const wanted = narrow ? ["quality", "delta", "tier", "prompt"] : ["id", "target", "tier", "quality", "delta", "cost", "latency", "prompt"];
    shownColumns = wanted.filter((key) => columns.has(key) && !(key === "target" && columns.get(key).names.length < 2));
    grid.style.setProperty("--columns", shownColumns.map((key) => widths[key]).join(" "));
    head.replaceChildren(...shownColumns.map((key) => {
      const column = columns.get(key);
      const arrow = state.sort === key ? (state.down ? " ↓" : " ↑") : "";
      const button = make("button", { type: "button" });
      button.textContent = (column.label || key) + arrow;
      button.addEventListener("click", () => {
        state.down = state.sort === key ? !state.down : column.kind === "number" && key !== "quality" && key !== "delta";
        state.sort = key;
        order = ordered();
        choose();
        filter();
      });
      const sorted = state.sort === key ? (state.down ? "descending" : "ascending") : "none";
      return make("div", { role: "columnheader", class: column.kind, "aria-sort": sorted }, button);
    }));
  }

  function line(place) {
    const row = state.shown[place];
    const node = make("div", { class: "row", role: "row", id: `row-${place}`, "aria-rowindex": place + 2, "aria-selected": place === state.at });
    node.style.top = `${place * LINE}px`;
    for (const key of shownColumns) {
      const box = make("div", { role: "gridcell", class: columns.get(key).kind });
      box.textContent = cell(key, row);
      if (key === "delta" && raw(key, row)) box.classList.add(raw(key, row) < 0 ? "low" : "high");
      if (key === "quality" && raw(key, row) === 0) box.classList.add("low");
      node.append(box);
    }
    node.addEventListener("click", () => open(place));
    return node;
  }

  function draw() {
    const first = Math.max(0, Math.floor(body.scrollTop / LINE) - SPARE);
    const last = Math.min(state.shown.length, Math.ceil((body.scrollTop + body.clientHeight) / LINE) + SPARE);
    space.style.height = `${state.shown.length * LINE}px`;
    const lines = [];
    for (let place = first; place < last; place++) lines.push(line(place));
    if (!lines.length) lines.push(make("p", { class: "none" }, "No row is like that. Take a filter away."));
    space.replaceChildren(...lines);
    grid.setAttribute("aria-rowcount", state.shown.length + 1);
    if (state.at < 0) body.removeAttribute("aria-activedescendant");
    else body.setAttribute("aria-activedescendant", `row-${state.at}`);
  }

  // --- one row
  function open(place) {
    state.at = place;
    draw();
    const row = state.shown[place], facts = make("dl");
    for (const [key, column] of columns) {
      if (key === "prompt" || key === "answer") continue;
      const value = make("dd");
      value.textContent = cell(key, row);
      facts.append(make("dt", {}, column.label || key), value);
    }
    const texts = ["prompt", "answer"].flatMap((key) => {
      const block = make("pre", { dir: "auto", tabindex: "0" });
      block.textContent = raw(key, row) || "–";
      return [make("h3", {}, key), block];
    });
    document.getElementById("detail").replaceChildren(...texts, facts);
  }

  function move(event) {
    const page = Math.floor(body.clientHeight / LINE) - 1, end = state.shown.length - 1;
    const to = {
      ArrowDown: state.at + 1, ArrowUp: state.at - 1, PageDown: state.at + page, PageUp: state.at - page, Home: 0, End: end,
    }[event.key];
    if (event.key === "Enter" && state.at >= 0) open(state.at);
    if (to === undefined || end < 0) return;
    event.preventDefault();
    state.at = Math.max(0, Math.min(end, to));
    const top = state.at * LINE;
    if (top < body.scrollTop) body.scrollTop = top;
    if (top + LINE > body.scrollTop + body.clientHeight) body.scrollTop = top + LINE - body.clientHeight;
    open(state.at);
  }

  // --- filters
  function control(label, node, wide) {
    return make("label", wide ? { class: "wide" } : {}, label, node);
  }
  function filters() {
    const form = document.getElementById("filters");
    const search = make("input", { type: "search", name: "words", autocomplete: "off", spellcheck: "false", placeholder: "words of the prompt, the answer or the id" });
    search.addEventListener("input", () => { state.query = search.value; filter(); });
    form.append(control("Search", search, true));
    const outcome = make("select", { name: "outcome" }, make("option", { value: "" }, "any"));
    for (const [key, label] of Object.entries(labels)) {
      if ((key === "worse" || key === "better") && !columns.has("delta")) continue;
      if (columns.has("quality")) outcome.append(make("option", { value: key }, label));
    }
    outcome.addEventListener("change", () => { state.outcome = outcome.value; filter(); });
    form.append(control("quality", outcome));
    for (const [key, column] of columns) {
      if (column.kind !== "word" || column.names.length < 2 || column.names.length > 400) continue;
      const select = make("select", { name: key }, make("option", { value: "" }, "any"));
      const named = column.names.map((name, code) => [name, code]).sort((a, b) => (a[0] < b[0] ? -1 : 1));
      for (const [name, code] of named) select.append(make("option", { value: code }, name || "(none)"));
      select.addEventListener("change", () => {
        if (select.value === "") state.picked.delete(key);
        else state.picked.set(key, Number(select.value));
        filter();
      });
      form.append(control(column.label, select));
    }
    form.append(told);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  const grid = document.getElementById("grid");
  if (typeof DecompressionStream === "undefined") {
    grid.textContent = "This browser is too old to unpack the rows; everything above is complete.";
    return;
  }
  await read();
  grid.className = "grid";
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-labelledby", "rows-title");
  grid.append(head, body);
  filters();
  order = ordered();
  choose();
  filter();
  body.addEventListener("scroll", draw, { passive: true });
  body.addEventListener("keydown", move);
  new ResizeObserver(() => { choose(); draw(); }).observe(body);
  document.documentElement.dataset.ready = "true";
})();
