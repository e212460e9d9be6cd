// One phone: its three apps, the browser over them, and the panel with the journeys and the time.

import { drawItem, drawLetterRow, drawRuns } from "./messages.js";
import { CHANNELS, element, keepUpToDate, markSeen, post, seenBefore, unseen } from "./page.js";

const key = decodeURIComponent(location.pathname.split("/").at(-1));
const home = `/p/${encodeURIComponent(key)}`;
const api = `/api/phones/${encodeURIComponent(key)}`;
const $ = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

let state = null; // as last polled
let open = null; // the channel whose tab is open
let drawnItems = { wechat: 0, sms: 0, email: 0 };

// --- doing something ---

let toastTimer = null;

function say(words) {
  const toast = $("#toast");
  toast.textContent = words;
  toast.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("shown"), 2600);
}

async function perform(body, refused) {
  try {
    const { done } = await post(`${api}/acts`, body);
    await refresh();
    if (!done) say(refused);
    return done;
  } catch (error) {
    console.error(error);
    say("没有成功，请再试一次");
    return false;
  }
}

const linkTo = (message, place) => `${home}/open?${new URLSearchParams({ message, link: place })}`;
const hands = {
  link: (message, place, ...children) => element("a", { href: linkTo(message, place), target: "browser", onclick: showBrowser }, ...children),
  tap: (message, item) => perform({ act: "tap", message, item }, "现在点不了：还没有关注公众号"),
};

// --- tabs ---

function openTab(channel) {
  open = channel;
  history.replaceState(null, "", `#${channel}`);
  for (const name of CHANNELS) {
    const tab = $(`#tab-${name}`);
    tab.setAttribute("aria-selected", String(name === channel));
    tab.tabIndex = name === channel ? 0 : -1;
    $(`#${name}`).hidden = name !== channel;
  }
  if (state) drawBadges();
  scrollDown(channel);
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const focused = CHANNELS.findIndex((name) => $(`#tab-${name}`) === event.target); // nothing is open yet until the phone has loaded
  const next = CHANNELS[(focused + step + CHANNELS.length) % CHANNELS.length];
  openTab(next);
  $(`#tab-${next}`).focus();
}

function firstTab() {
  const asked = location.hash.slice(1);
  if (CHANNELS.includes(asked)) return asked;
  return CHANNELS.find((channel) => state.addresses[channel]) ?? "wechat";
}

function drawBadges() {
  const fresh = unseen(key, state.received);
  for (const channel of CHANNELS) {
    if (channel === open && !document.hidden) {
      markSeen(key, channel, state.received[channel]);
      fresh[channel] = 0;
    }
    const badge = $(`#tab-${channel} .badge`);
    badge.hidden = fresh[channel] === 0;
    badge.textContent = fresh[channel] > 99 ? "99+" : String(fresh[channel]);
    badge.setAttribute("aria-label", `${fresh[channel]} 条新消息`);
  }
}

// --- chats ---

const NOTHING_YET = { wechat: "还没有消息", sms: "还没有短信" };

function drawChat(channel) {
  const items = state.chats[channel];
  const log = $(`#${channel} .log`);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  if (items.length < drawnItems[channel] || drawnItems[channel] === 0) {
    log.replaceChildren();
    drawnItems[channel] = 0;
  }
  log.append(...items.slice(drawnItems[channel]).map((item) => drawItem(item, hands)));
  if (!items.length) log.append(element("li", { class: "empty" }, emptyWords(channel)));
  if (items.length > drawnItems[channel] && atEnd) scrollDown(channel);
  drawnItems[channel] = items.length;
}

function emptyWords(channel) {
  if (state.addresses[channel]) return NOTHING_YET[channel];
  return { wechat: "这位会员没有用过这个公众号。想自己关注，请回到列表，用一部新手机。", sms: "没有留下手机号，所以收不到短信。" }[channel];
}

function scrollDown(channel) {
  const log = $(`#${channel} .log`);
  if (log) log.scrollTop = log.scrollHeight;
}

function drawWeChat() {
  const has = Boolean(state.addresses.wechat);
  $("#wechat .menu").hidden = !state.following;
  $("#wechat .follow").hidden = state.following || !has;
  $("#wechat .composer").hidden = !state.following;
  $("#wechat .window").hidden = !state.following;
  $("#wechat .window").textContent = state.window ? `公众号${state.window}` : "公众号现在只能发服务通知";
  drawChat("wechat");
}

function drawSms() {
  $("#sms .number").textContent = state.addresses.sms ? `发到 ${state.addresses.sms}` : "";
  $("#sms .composer").hidden = !state.addresses.sms;
  drawChat("sms");
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const words = form.elements.words.value;
  if (!words.trim()) return;
  form.elements.words.value = "";
  const sent = await perform({ act: "type", channel: form.dataset.channel, text: words }, "没有发出去");
  if (!sent && !form.elements.words.value) form.elements.words.value = words;
  scrollDown(form.dataset.channel);
}

// --- mail ---

const letter = $(".letter");
const letterFrame = $(".letter iframe");
let openLetter = null;

function drawMail() {
  const items = state.chats.email;
  $(".mailbox").textContent = state.addresses.email ?? "";
  if (items.length === drawnItems.email && items.length) return;
  const rows = [...items].reverse().map((item) => drawLetterRow(item, showLetter));
  const words = state.addresses.email ? "还没有邮件" : "没有留下邮箱，所以收不到邮件。";
  $(".letters").replaceChildren(...(rows.length ? rows : [element("li", { class: "empty" }, words)]));
  drawnItems.email = items.length;
}

function showLetter(item) {
  openLetter = item;
  $("#subject").textContent = item.subject;
  $(".sender", letter).textContent = item.sender;
  $("time", letter).textContent = item.at;
  $("#unsubscribe").hidden = !item.unsubscribe;
  $("#unsubscribe").disabled = false;
  letterFrame.hidden = !item.html;
  $(".plain").hidden = item.html;
  if (item.html) letterFrame.contentWindow.location.replace(`${home}/letter?${new URLSearchParams({ message: item.id })}`);
  else $(".plain").replaceChildren(...drawRuns(item, hands));
  $(".inbox").hidden = true;
  letter.hidden = false;
  $("#subject").focus();
}

function closeLetter() {
  if (letter.classList.contains("away")) return showLetter(openLetter);
  letter.hidden = true;
  $(".inbox").hidden = false;
  letterFrame.contentWindow.location.replace("about:blank");
}

// A link in a letter leads on in the letter's own frame: the sandbox lets it go nowhere else.
letterFrame.addEventListener("load", () => {
  const away = letterFrame.contentWindow.location.pathname.endsWith("/open");
  letter.classList.toggle("away", away);
  $("#away-title").hidden = !away;
  $("#away-title").textContent = letterFrame.contentDocument.title || "网页";
  $("#close-letter").setAttribute("aria-label", away ? "回到邮件" : "回到收件箱");
  $("#unsubscribe").hidden = away || !openLetter?.unsubscribe;
  if (away) refresh();
});

async function unsubscribe() {
  $("#unsubscribe").disabled = true;
  const done = await perform({ act: "unsubscribe", message: openLetter.id }, "没有退订成功，请再试一次");
  if (done) say("已退订这类邮件");
  else $("#unsubscribe").disabled = false;
}

// --- the browser ---

const browserFrame = $("#browser iframe");
let openedFrom = null;

function showBrowser(event) {
  openedFrom = event.currentTarget;
  $("#browser-title").textContent = "正在打开";
  $("#browser").hidden = false;
  $("#close-browser").focus();
}

function closeBrowser() {
  $("#browser").hidden = true;
  browserFrame.contentWindow.location.replace("about:blank");
  openedFrom?.focus();
}

browserFrame.addEventListener("load", () => {
  if (browserFrame.contentWindow.location.href === "about:blank") return;
  $("#browser-title").textContent = browserFrame.contentDocument.title || "网页";
  refresh();
});

// --- the panel ---

function drawPanel() {
  const { journeys } = state;
  $("#panel-clock").textContent = `现在是 ${state.now}`;
  $("#journeys").hidden = journeys === null;
  $("#open-panel").textContent = journeys?.length ? `旅程 ${journeys.length}` : "旅程";
  $("#journeys ul").replaceChildren(...(journeys ?? []).map((line) => element("li", {},
    element("b", {}, line.title), element("span", {}, line.step),
    line.next ? element("span", { class: "next" }, line.next) : null)));
  $("#journeys p").hidden = Boolean(journeys?.length);
  $("[data-by=next]").disabled = !state.next || forwarding;
}

let forwarding = false;

async function forward(event) {
  const button = event.currentTarget;
  const words = button.textContent;
  forwarding = true;
  for (const other of all("#forward button")) other.disabled = true;
  button.textContent = "正在快进…";
  try {
    await post(`${api}/forward`, { by: button.dataset.by });
  } catch (error) {
    console.error(error);
    say("没有快进成功，请再试一次");
  }
  forwarding = false;
  button.textContent = words;
  for (const other of all("#forward button")) other.disabled = false;
  await refresh();
  drawPanel();
}

function showPanel(shown) {
  $("#panel").classList.toggle("open", shown);
  $("#shade").hidden = !shown;
  $("#open-panel").setAttribute("aria-expanded", String(shown));
  (shown ? $("#close-panel") : $("#open-panel")).focus();
}

// --- all together ---

function show(polled) {
  state = polled;
  seenBefore([{ key, received: state.received }], false);
  document.title = `${state.name}的手机`;
  $("#owner").textContent = state.name;
  $("#clock").textContent = state.now;
  for (const place of all(".brand")) place.textContent = state.brand;
  drawWeChat();
  drawSms();
  drawMail();
  drawPanel();
  if (open === null) openTab(firstTab());
  drawBadges();
}

for (const channel of CHANNELS) $(`#tab-${channel}`).addEventListener("click", () => openTab(channel));
$("nav").addEventListener("keydown", moveTab);
for (const form of all(".composer")) form.addEventListener("submit", send);
$("#follow").addEventListener("click", () => perform({ act: "follow" }, "没有关注成功"));
$("#unfollow").addEventListener("click", () => {
  $("#wechat .menu").open = false;
  perform({ act: "unfollow" }, "没有取消成功");
});
$("#close-letter").addEventListener("click", closeLetter);
$("#unsubscribe").addEventListener("click", unsubscribe);
$("#close-browser").addEventListener("click", closeBrowser);
for (const button of all("#forward button")) button.addEventListener("click", forward);
$("#open-panel").addEventListener("click", () => showPanel(true));
$("#close-panel").addEventListener("click", () => showPanel(false));
$("#shade").addEventListener("click", () => showPanel(false));
document.addEventListener("click", (event) => {
  if (!event.target.closest(".menu")) $("#wechat .menu").open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!$("#browser").hidden) closeBrowser();
  else if ($("#panel").classList.contains("open")) showPanel(false);
  else if (!letter.hidden && open === "email") closeLetter();
});

const refresh = keepUpToDate(api, show);
