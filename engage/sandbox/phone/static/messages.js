// How messages look: bubbles, cards, menus, rows of the inbox. `hands` does what a tap means.

import { element } from "./page.js";

export function drawItem(item, hands) {
  const time = item.time ? element("time", { class: "time" }, item.time) : null;
  return element("li", {}, time, drawBody(item, hands));
}

function drawBody(item, hands) {
  if (item.kind === "line") return element("p", { class: "line" }, item.text);
  if (item.kind === "wrote") return element("p", { class: "bubble mine" }, item.text);
  return { text: drawText, menu: drawMenu, news: drawNews, notice: drawNotice }[item.shape](item, hands);
}

export function drawRuns(item, hands, runs = item.runs) {
  return runs.map((run) => (run.link === undefined ? run.text : hands.link(item.id, run.link, run.text)));
}

function drawText(item, hands) {
  return element("p", { class: "bubble" }, ...drawRuns(item, hands));
}

function drawMenu(item, hands) {
  const choices = item.items.map(({ id, words }) =>
    element("button", { type: "button", class: "item", onclick: () => hands.tap(item.id, id) }, words));
  return element("div", { class: "bubble" }, ...drawRuns(item, hands, item.head), ...choices, ...drawRuns(item, hands, item.tail));
}

function drawNews(item, hands) {
  const body = element("div", { class: "body" },
    element("h3", {}, item.title), item.words ? element("p", { class: "words" }, item.words) : null);
  return element("div", { class: "card" }, body, more(item, hands, "阅读全文"));
}

function drawNotice(item, hands) {
  const [first, ...rest] = item.rows;
  const rows = rest.map(({ label, value }) =>
    element("div", {}, label ? element("dt", {}, label) : null, element("dd", {}, value)));
  const body = element("div", { class: "body" },
    element("p", { class: "kind" }, "服务通知"), element("h3", {}, first.value), element("dl", {}, ...rows));
  return element("div", { class: "card" }, body, more(item, hands, "查看详情"));
}

function more(item, hands, words) {
  if (item.link === null) return null;
  const link = hands.link(item.id, item.link, words);
  link.className = "more";
  const arrow = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  arrow.setAttribute("viewBox", "0 0 24 24");
  arrow.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M9 5l7 7-7 7");
  arrow.append(path);
  link.append(arrow);
  return link;
}

export function drawLetterRow(item, showLetter) {
  if (item.kind === "line") return element("li", { class: "line" }, item.text);
  return element("li", {},
    element("button", { type: "button", onclick: () => showLetter(item) },
      element("b", {}, item.sender), element("time", {}, item.at),
      element("span", { class: "subject" }, item.subject), element("span", { class: "words" }, item.snippet)));
}
