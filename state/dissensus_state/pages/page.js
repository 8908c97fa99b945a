"use strict";
// Everything that a model, a person or a database said enters the page as text, never as markup.

const STEERING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const MOST_CELLS = 1000000;
const PAGE = 200;
const PRINTED = 2000;

function plain(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
  return (text === undefined ? "" : text).replace(STEERING, (mark) => "\\u" + mark.charCodeAt(0).toString(16));
}

function words(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
}

// What became of one text, as [sign, text] with the signs "=", "-" and "+".
function difference(before, after) {
  const one = words(before), other = words(after);
  let start = 0, end = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  while (end < one.length - start && end < other.length - start &&
    one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const parts = [];
  const put = (sign, text) => {
    if (!text) return;
    if (parts.length && parts[parts.length - 1][0] === sign) parts[parts.length - 1][1] += text;
    else parts.push([sign, text]);
  };
  put("=", one.slice(0, start).join(""));
  between(one.slice(start, one.length - end), other.slice(start, other.length - end), put);
  put("=", one.slice(one.length - end).join(""));
  return parts;
}

function between(one, other, put) {
  const width = other.length + 1;
  if (one.length * other.length > MOST_CELLS) {
    put("-", one.join(""));
    put("+", other.join(""));
    return;
  }
  const longest = new Uint32Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i -= 1)
    for (let j = other.length - 1; j >= 0; j -= 1)
      longest[i * width + j] = one[i] === other[j] ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
  let i = 0, j = 0;
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) { put("=", one[i]); i += 1; j += 1; }
    else if (j >= other.length || (i < one.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1]))
      { put("-", one[i]); i += 1; }
    else { put("+", other[j]); j += 1; }
  }
}

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function block(title, ...children) {
  const part = make("section");
  part.append(make("h3", title), ...children);
  return part;
}

function facts(pairs) {
  const list = make("table");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) continue;
    const row = make("tr");
    row.append(make("th", name), make("td", Array.isArray(value) ? value.map(plain).join("\n") : plain(value)));
    list.append(row);
  }
  return list;
}

function changes(list) {
  const part = make("div");
  for (const one of list) {
    const title = make("div");
    title.append(make("span", one.verb, "tag"), " ", make("b", plain(one.path || "/")));
    if (one.gone) title.append(" ", make("span", one.gone, "tag"));
    part.append(title);
    if (typeof one.before === "string" && typeof one.value === "string") {
      const text = make("pre");
      for (const [sign, piece] of difference(one.before, one.value))
        text.append(sign === "=" ? plain(piece) : make(sign === "-" ? "del" : "ins", plain(piece)));
      part.append(text);
      continue;
    }
    for (const [name, tag] of [["before", "del"], ["value", "ins"]]) {
      if (!(name in one)) continue;
      const text = make("pre");
      text.append(make(tag, plain(one[name])));
      part.append(text);
    }
  }
  return part;
}

// The details stand in the page as blocks of lines; a line is only read when it is asked for.
function store(kind) {
  const size = Number(document.body.dataset.block);
  const blocks = {};
  const lines = (number) => {
    if (!(number in blocks)) {
      const found = document.getElementById(kind + "-" + number);
      blocks[number] = found ? found.textContent.trim().split("\n") : [];
    }
    return blocks[number];
  };
  return {
    raw: (index) => lines(Math.floor(index / size))[index % size] || "null",
    read(index) { return JSON.parse(this.raw(index)); },
  };
}

function call(one) {
  const part = make("div");
  const cost = one.usd === null ? "cost unknown" : one.usd + " USD";
  part.append(make("div", `${one.agent} · ${one.model} · ${one.status} · ${one.tokens} tokens · ${cost} · ${one.latency_ms} ms`));
  if (one.reasoning) part.append(make("div", "reasoning (" + one.reasoning_kind + ")", "note"), make("pre", plain(one.reasoning)));
  if (one.answer) part.append(make("div", "answer", "note"), make("pre", plain(one.answer)));
  return part;
}

function roundOf(told) {
  const part = make("div");
  part.append(facts([["round", "r" + told.round], ["step", told.step], ["status", told.status], ["base", "v" + told.base],
    ["asks again", told.again_of === null ? "" : "r" + told.again_of], ["note", told.note]]));
  for (const one of told.disagreements) {
    const rows = one.positions.map((side) => [side.holders.join(", "), side.value]);
    part.append(block("disagreement at " + plain(one.path || "/"),
      facts([["cause", one.cause], ["distance", one.distance], ...rows])));
  }
  for (const one of told.rulings)
    part.append(block("ruling of " + one.author + ": " + one.decision, facts([["reason", one.reason], ["cause", one.cause],
      ["in favour of", one.upheld], ["dissent", one.dissent], ["clarification", one.clarification]]), changes(one.amendment)));
  for (const one of told.proposals) {
    const lost = one.status === "dissent" ? "dissent of " : "proposal of ";
    const said = block(lost + one.agent + " (" + one.status + ")", facts([["confidence", one.confidence],
      ["had read", one.reads], ["says", one.detail]]), changes(one.changes));
    if (one.status === "dissent") said.className = "lost";
    part.append(said);
  }
  if (told.calls.length) part.append(block("calls", ...told.calls.map(call)));
  if (told.open) part.append(make("p", told.open, "note"));
  return part;
}

function detailOf(row, told, rounds, numbers) {
  const part = make("div", undefined, "detail");
  if (told) commitOf(part, told);
  if (row.round in numbers) part.append(block("round r" + row.round, roundOf(rounds.read(numbers[row.round]))));
  return part;
}

function commitOf(part, told) {
  part.append(facts([["transition", told.transition], ["base", "v" + told.base], ["kind", told.source],
    ["read", told.reads], ["evidence", told.evidence], ["key", told.key], ["hash", told.hash]]));
  part.append(block("changes", changes(told.changes)));
  if (told.before_unknown) part.append(make("p", "What stood there before is pruned.", "note"));
}

function fits(row, raw, wanted) {
  return (!wanted.branch || row.branch === wanted.branch) && (!wanted.author || row.author === wanted.author) &&
    (!wanted.kind || row.kind === wanted.kind) &&
    (!wanted.text || row.words.includes(wanted.text) || raw(row).toLowerCase().includes(wanted.text));
}

function start() {
  const index = JSON.parse(document.getElementById("index").textContent);
  const rows = index.commits.map(([branch, version, author, at, kind, step, round, what], number) => ({
    index: number, branch: index.branches[branch], version, author: index.authors[author], at, kind, step, round, what,
    words: [version, author, step, what, "v" + version, index.authors[author]].join(" ").toLowerCase(),
  }));
  const commits = store("commits"), rounds = store("rounds"), numbers = {};
  index.rounds.forEach((number, place) => { numbers[number] = place; });
  const log = document.getElementById("log"), count = document.getElementById("count"), more = document.getElementById("more");
  const fields = ["text", "branch", "author", "kind"].map((name) => document.getElementById("by-" + name));
  const raw = (row) => commits.raw(row.index) + (row.round in numbers ? rounds.raw(numbers[row.round]) : "");
  let found = rows, shown = 0, current = -1;

  const toggle = (item, row) => {
    const there = item.querySelector(".detail");
    if (there) { there.remove(); return; }
    item.append(detailOf(row, commits.read(row.index), rounds, numbers));
  };
  const line = (row, place) => {
    const item = make("li"), head = make("div", undefined, "row");
    head.setAttribute("role", "button");
    head.append(make("span", row.version === null ? "r" + row.round : "v" + row.version, "version"), make("span", plain(row.author), "author"),
      make("span", plain((row.step ? row.step + ": " : "") + row.what), "what"));
    if (row.kind !== "write") head.append(make("span", row.kind, "tag"));
    if (index.branches.length > 1) head.append(make("span", plain(row.branch), "note"));
    head.append(make("time", new Date(row.at).toISOString().slice(0, 19).replace("T", " ")));
    head.addEventListener("click", () => { select(place, false); toggle(item, row); });
    item.append(head);
    return item;
  };
  const render = (upto) => {
    const part = document.createDocumentFragment();
    for (; shown < Math.min(upto, found.length); shown += 1) part.append(line(found[shown], shown));
    log.append(part);
    more.hidden = shown >= found.length;
    more.textContent = "Show " + Math.min(PAGE, found.length - shown) + " more of " + (found.length - shown);
    count.textContent = found.length === rows.length ? rows.length + " entries" : found.length + " of " + rows.length + " entries";
  };
  const select = (place, scroll) => {
    if (place < 0 || place >= found.length) return;
    if (place >= shown) render(place + PAGE);
    if (log.children[current]) log.children[current].removeAttribute("aria-current");
    current = place;
    log.children[current].setAttribute("aria-current", "true");
    if (scroll && log.children[current].scrollIntoView) log.children[current].scrollIntoView({ block: "nearest" });
  };
  const filter = () => {
    const [text, branch, author, kind] = fields.map((field) => field.value);
    const wanted = { text: text.trim().toLowerCase(), branch, author, kind };
    found = rows.filter((row) => fits(row, raw, wanted));
    log.replaceChildren();
    shown = 0; current = -1;
    render(PAGE);
  };
  const fill = (field, values) => values.forEach((value) => {
    const choice = make("option", plain(value));
    choice.value = value;
    field.append(choice);
  });
  fill(fields[1], index.branches);
  fill(fields[2], [...index.authors].sort());
  fill(fields[3], [...new Set(rows.map((row) => row.kind))].sort());
  let waiting = 0;
  fields[0].addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
  fields.slice(1).forEach((field) => field.addEventListener("change", filter));
  more.addEventListener("click", () => render(shown + PAGE));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { document.activeElement.blur(); return; }
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    if (event.key === "j") select(current + 1, true);
    else if (event.key === "k") select(current - 1, true);
    else if (event.key === "Enter" || event.key === "o") { if (current >= 0) toggle(log.children[current], found[current]); }
    else if (event.key === "/") { event.preventDefault(); fields[0].focus(); }
  });
  addEventListener("beforeprint", () => render(PRINTED));
  render(PAGE);
}

if (typeof document === "undefined") module.exports = { difference, plain, fits };
else start();
