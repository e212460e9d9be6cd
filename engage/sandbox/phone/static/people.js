// The list of people: find one, see who has new messages, take a new phone.

import { element, keepUpToDate, post, seenBefore, unseen } from "./page.js";

const CHANNEL_WORDS = { wechat: "微信", sms: "短信", email: "邮件" };
const SHOWN_AT_MOST = 200;

const list = document.getElementById("people");
const search = document.getElementById("search");
const filter = document.getElementById("filter");
const rows = new Map(); // key → { item, drawn }
let people = [];
let order = []; // keys; stays while messages come in, so that nothing moves away under a finger

function matches(person) {
  const wanted = search.value.trim().toLowerCase();
  const words = [person.name, person.ref, person.phone].filter(Boolean).join(" ").toLowerCase();
  return words.includes(wanted) && isShown(person, filter.querySelector(":checked").value);
}

function isShown(person, show) {
  if (show === "all") return true;
  if (show === "new") return newCount(person) > 0;
  return person.channels.includes(show);
}

function newCount(person) {
  return Object.values(unseen(person.key, person.received)).reduce((sum, count) => sum + count, 0);
}

function putInOrder() {
  const age = (person) => person.last?.at ?? 0;
  order = [...people].sort((one, other) => age(other) - age(one)).map((person) => person.key);
}

function draw() {
  const byKey = new Map(people.map((person) => [person.key, person]));
  const known = new Set(order);
  order = [...people.map((person) => person.key).filter((key) => !known.has(key)), ...order].filter((key) => byKey.has(key));
  const found = order.map((key) => byKey.get(key)).filter(matches);
  const shown = found.slice(0, SHOWN_AT_MOST);
  const items = shown.map(row);
  if (items.length !== list.children.length || items.some((item, place) => item !== list.children[place])) {
    list.replaceChildren(...items);
  }
  const more = found.length > shown.length ? `，先列出 ${shown.length} 部` : "";
  document.getElementById("count").textContent = found.length ? `${found.length} 部手机${more}` : "没有找到，换个词试试";
}

function row(person) {
  const fresh = newCount(person);
  const drawn = JSON.stringify([person, fresh]);
  const known = rows.get(person.key);
  if (known?.drawn === drawn) return known.item;
  const item = known?.item ?? element("li");
  item.replaceChildren(link(person, fresh));
  rows.set(person.key, { item, drawn });
  return item;
}

function link(person, fresh) {
  const channels = person.channels.map((channel) => channel === "wechat" && !person.following ? "微信未关注" : CHANNEL_WORDS[channel]);
  return element("a", { class: "row", href: `/p/${encodeURIComponent(person.key)}` },
    element("span", { class: "face", "aria-hidden": "true" }, [...person.name].at(-1)),
    element("span", {},
      element("span", { class: "who" }, element("b", {}, person.name), element("span", {}, [person.ref, ...channels].filter(Boolean).join(" · "))),
      element("span", { class: "words" }, person.last?.words ?? "还没有收到消息")),
    element("span", { class: "aside" },
      person.last?.when ?? "",
      fresh ? element("span", { class: "badge", "aria-label": `${fresh} 条新消息` }, fresh > 99 ? "99+" : String(fresh)) : null));
}

function show(state) {
  document.getElementById("clock").textContent = state.now;
  people = state.people;
  seenBefore(people, true);
  if (!order.length) putInOrder();
  draw();
}

for (const control of [search, filter]) {
  control.addEventListener("input", () => { putInOrder(); draw(); });
}

document.getElementById("new-phone").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { key } = await post("/api/phones", { name: document.getElementById("name").value });
  location.href = `/p/${encodeURIComponent(key)}`;
});

keepUpToDate("/api/people", show);
