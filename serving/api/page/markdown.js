// The Markdown that chat models write, as DOM nodes. The text never becomes HTML source, so it cannot carry markup.

const MAX_DEPTH = 6; // of lists and quotes inside one another
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+)(?=\S)/;
const QUOTE = /^ {0,3}> ?/;

/** Shows a growing Markdown text in `container`; each render replaces only the blocks that changed. */
export class MarkdownView {
  #sources = [];

  constructor(container) {
    this.container = container;
  }

  render(text) {
    const blocks = parseBlocks(text.split("\n"));
    const kept = blocks.findIndex((block, i) => block.source !== this.#sources[i]);
    const first = kept === -1 ? blocks.length : kept;
    while (this.container.children.length > first) this.container.lastElementChild.remove();
    this.container.append(...blocks.slice(first).map(blockNode));
    this.#sources = blocks.map((block) => block.source);
  }
}

/** Cut lines into blocks: `{kind, source, ...}` with kind code, heading, rule, list, quote or paragraph. */
export function parseBlocks(lines, depth = 0) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    const block = readBlock(lines, at, depth);
    at = block.end;
    if (block.kind !== "blank") blocks.push({ ...block, source: lines.slice(start, at).join("\n") });
  }
  return blocks;
}

function readBlock(lines, at, depth) {
  const line = lines[at];
  if (!line.trim()) return { kind: "blank", end: at + 1 };
  const fence = FENCE.exec(line);
  if (fence) return readCode(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return { kind: "heading", level: heading[1].length, text: heading[2], end: at + 1 };
  if (RULE.test(line)) return { kind: "rule", end: at + 1 };
  if (depth < MAX_DEPTH && ITEM.test(line)) return readList(lines, at, depth);
  if (depth < MAX_DEPTH && QUOTE.test(line)) return readQuote(lines, at, depth);
  return readParagraph(lines, at, depth);
}

function readCode(lines, at, [, fence, language]) {
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
  const body = lines.slice(at + 1);
  const length = body.findIndex((line) => closing.test(line));
  const closed = length !== -1; // an open fence is code that is still being written
  const code = closed ? body.slice(0, length) : body;
  return { kind: "code", language, text: code.join("\n"), end: at + 1 + code.length + (closed ? 1 : 0) };
}

function readList(lines, at, depth) {
  const ordered = isOrdered(lines[at]);
  const start = ordered ? parseInt(lines[at], 10) : 1;
  const startsItem = (line) => ITEM.test(line) && isOrdered(line) === ordered && !RULE.test(line);
  const items = [];
  for (let next = at; next < lines.length && startsItem(lines[next]); next = skipBlank(lines, at)) {
    at = next;
    const indent = ITEM.exec(lines[at])[0].length;
    const own = [lines[at].slice(indent)];
    for (at += 1; at < lines.length && belongsToItem(lines, at, indent); at += 1) {
      own.push(lines[at].replace(new RegExp(`^ {0,${indent}}`), ""));
    }
    items.push(parseBlocks(own, depth + 1));
  }
  return { kind: "list", ordered, start, items, end: at };
}

const isOrdered = (line) => /^\s*\d/.test(line);

function skipBlank(lines, at) {
  while (at < lines.length && !lines[at].trim()) at += 1;
  return at;
}

function belongsToItem(lines, at, indent) {
  const line = lines[at];
  if (!line.trim()) return at + 1 < lines.length && belongsToItem(lines, at + 1, indent);
  const spaces = line.length - line.trimStart().length;
  if (spaces >= Math.min(indent, 2)) return true;
  const afterBlank = !lines[at - 1].trim();
  return !afterBlank && !ITEM.test(line) && !FENCE.test(line) && !HEADING.test(line) && !RULE.test(line);
}

function readQuote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return { kind: "quote", blocks: parseBlocks(inner, depth + 1), end };
}

function readParagraph(lines, at, depth) {
  const interrupts = (line) =>
    !line.trim() || FENCE.test(line) || HEADING.test(line) || (depth < MAX_DEPTH && (ITEM.test(line) || QUOTE.test(line)));
  let end = at + 1;
  while (end < lines.length && !interrupts(lines[end])) end += 1;
  return { kind: "paragraph", text: lines.slice(at, end).join("\n").trim(), end };
}

function blockNode(block) {
  switch (block.kind) {
    case "code": return codeNode(block);
    case "heading": return element(`h${Math.min(block.level + 2, 6)}`, inlineNodes(block.text));
    case "rule": return element("hr");
    case "list": return listNode(block);
    case "quote": return element("blockquote", block.blocks.map(blockNode));
    default: return element("p", inlineNodes(block.text));
  }
}

function codeNode({ language, text }) {
  const copy = element("button", [element("span", ["Copy"])]);
  copy.type = "button";
  copy.dataset.action = "copy-code";
  const figure = element("figure", [
    element("figcaption", [element("span", [language || "text"]), copy]),
    element("pre", [element("code", [text])]),
  ]);
  figure.className = "code";
  return figure;
}

function listNode({ ordered, start, items }) {
  const list = element(ordered ? "ol" : "ul", items.map((blocks) => {
    const [first, ...rest] = blocks;
    if (first?.kind !== "paragraph") return element("li", blocks.map(blockNode));
    return element("li", [...inlineNodes(first.text), ...rest.map(blockNode)]);
  }));
  if (ordered) list.start = start;
  return list;
}

// Spans are bounded in length, so that the search stays linear in the text whatever it holds.
const INLINE = new RegExp([
  /\\([\\`*_#>~-])/,
  /(?<!`)(`+)(?!`)([^]{1,2000}?)(?<!`)\2(?!`)/,
  /\*\*(?=\S)([^]{1,2000}?)(?<=\S)\*\*(?!\*)/,
  /(?<!\w)__(?=\S)([^]{1,2000}?)(?<=\S)__(?!\w)/,
  /\*(?=[^\s*])([^]{1,2000}?)(?<=[^\s*])\*(?!\*)/,
  /(?<!\w)_(?=[^\s_])([^]{1,2000}?)(?<=[^\s_])_(?!\w)/,
].map((part) => part.source).join("|"), "g");

function inlineNodes(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) nodes.push(text.slice(at, match.index));
    const [all, escaped, , code, starBold, lineBold, star, line] = match;
    const bold = starBold ?? lineBold;
    if (escaped) nodes.push(escaped);
    else if (code) nodes.push(element("code", [code]));
    else if (bold) nodes.push(element("strong", inlineNodes(bold)));
    else nodes.push(element("em", inlineNodes(star ?? line)));
    at = match.index + all.length;
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}

function element(name, children = []) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}
