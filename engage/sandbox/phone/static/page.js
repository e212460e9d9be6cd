// What both pages need: elements made of words (never of markup), a page that keeps itself up to date, and posts.

export const CHANNELS = ["wechat", "sms", "email"];

// Strings become text nodes, so that nothing anybody wrote is ever read as markup.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) node.addEventListener(attribute.slice(2), value);
    else if (value === true) node.setAttribute(attribute, "");
    else if (value !== false && value != null) node.setAttribute(attribute, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// Asks every second, and calls `show` when the answer has changed. Returns a function that asks at once.
export function keepUpToDate(url, show) {
  let etag = null;
  let timer = null;
  let asking = null;

  async function ask() {
    const response = await fetch(url, { cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    etag = response.headers.get("ETag");
    show(await response.json());
  }

  async function round() {
    clearTimeout(timer);
    try {
      await ask();
      document.getElementById("offline").hidden = true;
    } catch (error) {
      console.error(error);
      document.getElementById("offline").hidden = false;
    }
    timer = setTimeout(once, document.hidden ? 5000 : 1000);
  }

  function once() {
    asking ??= round().finally(() => { asking = null; });
    return asking;
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) once(); });
  once();
  return async () => { await asking; await once(); };
}

export async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

// How many messages of each channel have been seen on each phone, kept by the browser. Whoever opens the demo for the
// first time has seen all that came before; a phone that turns up later has everything to show.
const SEEN = "seen";
const KNOWS_EVERYBODY = "*"; // set once the list has been read

const readSeen = () => JSON.parse(localStorage.getItem(SEEN)) ?? {};
const writeSeen = (seen) => localStorage.setItem(SEEN, JSON.stringify(seen));

export function seenBefore(people, isEverybody) {
  const seen = readSeen();
  if (seen[KNOWS_EVERYBODY]) return;
  for (const { key, received } of people) seen[key] ??= received;
  if (isEverybody) seen[KNOWS_EVERYBODY] = true;
  writeSeen(seen);
}

export function unseen(key, received) {
  const seen = readSeen()[key] ?? {};
  // A demo that was started afresh on the same port has fewer messages than were seen in the last one.
  const fresh = (channel) => received[channel] - Math.min(seen[channel] ?? 0, received[channel]);
  return Object.fromEntries(CHANNELS.map((channel) => [channel, fresh(channel)]));
}

export function markSeen(key, channel, count) {
  const seen = readSeen();
  writeSeen({ ...seen, [key]: { ...seen[key], [channel]: count } });
}
