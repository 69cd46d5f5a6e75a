"use strict";
// All text comes in as textContent: names of subscribers are anybody's.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const make = (tag, text, kind) => Object.assign(document.createElement(tag), { textContent: text ?? "", className: kind ?? "" });
const clock = (time, day) => (time ? `${day ? time.slice(0, 10) + " " : ""}${time.slice(11, 16)}` : "");

// Colours of Okabe and Ito (2008), and a shape for each kind: nobody has to tell colours apart.
const KINDS = {
  new: { word: "new", colour: "#d55e00", path: "M12 2 22 21H2z" },
  updated: { word: "updated", colour: "#0072b2", path: "M12 1 23 12 12 23 1 12z" },
  cancelled: { word: "all clear", colour: "#5b6670", path: "M3 3h18v18H3z", tick: "m7.5 12.5 3 3 6-7" },
};
function sign(kind, size) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  svg.setAttribute("aria-hidden", "true");
  const draw = (path, set) => {
    const part = document.createElementNS(space, "path");
    for (const [name, value] of Object.entries({ d: path, ...set })) part.setAttribute(name, value);
    svg.append(part);
  };
  const { path, colour, tick } = KINDS[kind];
  draw(path, { fill: colour, stroke: "#fff", "stroke-width": 2, "stroke-linejoin": "round" });
  if (tick) draw(tick, { fill: "none", stroke: "#fff", "stroke-width": 2.5 });
  return svg;
}

const map = L.map("map", { preferCanvas: true, zoomSnap: 0.25, maxZoom: 14, attributionControl: false });
const boxes = data.frames.filter((f) => f.bounds).map((f) => L.latLngBounds([f.bounds[1], f.bounds[0]], [f.bounds[3], f.bounds[2]]));
const places = [...data.people, ...data.alerts].map((p) => [p.lat, p.lon]);
const drawn = data.frames.flatMap((f) => f.bands.flatMap((b) => rings(b.rings).map((ring) => L.latLngBounds(ring))));
const [first, ...rest] = boxes.length ? boxes : drawn.length ? drawn : [L.latLngBounds(places.length ? places : [[-60, -180], [75, 180]])];
map.fitBounds(rest.reduce((all, box) => all.extend(box), first), { animate: false, maxZoom: 11 });
for (const [name, order] of [["frames", 250], ["lines", 300], ["hazards", 350]]) {
  map.createPane(name).style.zIndex = order;
  map.getPane(name).style.pointerEvents = "none";
}
L.control.scale().addTo(map);
L.control.attribution({ prefix: "Leaflet | borders: US Census Bureau, Natural Earth" }).addTo(map);

// Base map.
const lines = L.canvas({ pane: "lines", padding: 0.5 });
const LINES = { county: ["#9aa7b2", 0.6], state: ["#4a5966", 1.3], country: ["#2c3a46", 1.8] };
const base = {};
for (const [kind, [color, weight]] of Object.entries(LINES)) {
  base[kind] = L.polyline(data.base[kind], { renderer: lines, pane: "lines", color, weight, interactive: false, smoothFactor: 1 });
  if (kind !== "county") base[kind].addTo(map);
}
const counties = () => map[map.getZoom() >= 7 ? "addLayer" : "removeLayer"](base.county);
map.on("zoomend", counties);

// Frames.
const levels = [...new Set(data.frames.flatMap((f) => f.bands.map((b) => b.level)))].sort((a, b) => a - b);
const look = (level) => {
  const i = levels.indexOf(level);
  const share = levels.length > 1 ? i / (levels.length - 1) : 1;
  return { color: ["#5e7484", "#33414d", "#111827", "#a3007e"][Math.round(share * 3)], weight: 1 + 1.6 * share };
};
const hazards = L.canvas({ pane: "hazards", padding: 0.3 });
function rings(flat) {
  return flat.map((steps) => {
    const line = [];
    for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      line.push([y * data.step, x * data.step]);
    }
    return line;
  });
}
const layers = data.frames.map(() => null);
function layer(i) {
  const { image, bounds, bands } = data.frames[i];
  layers[i] ??= L.layerGroup([
    ...(image && bounds
      ? [L.imageOverlay(image, [[bounds[1], bounds[0]], [bounds[3], bounds[2]]], { pane: "frames", opacity: 0.82, className: "frame" })]
      : []),
    ...bands.map((b) => L.polyline(rings(b.rings), { ...look(b.level), renderer: hazards, pane: "hazards", interactive: false })),
  ]);
  return layers[i];
}

// People and alerts: each place once, with the latest that it was told.
const popup = (name, ...told) => {
  const box = make("div");
  box.append(make("b", name), ...told.map((text) => make("div", text)));
  return box;
};
const latest = new Map();
for (const alert of data.alerts) if (!latest.has(alert.subscriber)) latest.set(alert.subscriber, alert);
for (const person of data.people) {
  if (latest.has(person.id)) continue;
  L.circleMarker([person.lat, person.lon], { radius: 4.5, color: "#fff", weight: 1.5, fillColor: "#16212b", fillOpacity: 0.9 })
    .bindPopup(() => popup(person.id, "not alerted"))
    .addTo(map);
}
const signs = new Map();
for (const alert of latest.values()) {
  const marker = L.marker([alert.lat, alert.lon], {
    icon: L.divIcon({ html: sign(alert.kind, 22), className: "sign", iconSize: [22, 22] }),
    alt: `${alert.subscriber}: ${KINDS[alert.kind].word}`,
    title: alert.subscriber,
  });
  marker.bindPopup(() => popup(alert.subscriber, alert.headline, `told ${clock(alert.sent, true)} UTC`)).addTo(map);
  marker.getElement().setAttribute("aria-label", `${alert.subscriber}: ${KINDS[alert.kind].word}`);
  signs.set(alert.subscriber, marker);
}
for (const alert of data.alerts) {
  const row = make("button");
  row.type = "button";
  const when = `${clock(alert.sent, true)} UTC, ${KINDS[alert.kind].word}${alert.exercise ? ", EXERCISE" : ""}${alert.run === data.run ? "" : ", earlier run"}`;
  row.append(sign(alert.kind, 20), make("b", alert.subscriber), make("span", alert.headline), make("small", when));
  row.addEventListener("click", () => {
    const marker = signs.get(alert.subscriber);
    map.setView([alert.lat, alert.lon], Math.max(map.getZoom(), 10));
    marker.openPopup();
    const first = data.frames.findIndex((f) => alert.onset && Date.parse(f.valid) >= Date.parse(alert.onset));
    if (first >= 0) show(first);
  });
  const item = make("li");
  item.append(row);
  at("alerts").append(item);
}
if (!data.alerts.length) at("alerts").append(make("li", "Nobody was alerted.", "none"));
else at("told").textContent = `Alerts (${data.alerts.length})`;
for (const kind of data.alerts.length ? Object.keys(KINDS) : []) {
  const item = make("li");
  item.append(sign(kind, 15), make("span", KINDS[kind].word));
  at("kinds").append(item);
}
if (data.people.length) {
  const item = make("li");
  item.append(make("span", `● subscriber, not alerted${data.more ? ` (${data.more} more are not drawn)` : ""}`));
  at("kinds").append(item);
}

// Legends.
const legends = L.control({ position: "topright" });
legends.onAdd = () => {
  const all = make("div", "", "legends");
  if (data.legend) {
    const box = make("div", "", "panel");
    box.append(Object.assign(new Image(), { src: data.legend, alt: "Colours of the images" }));
    all.append(box);
  }
  if (levels.length) {
    const box = make("div", "", "panel");
    for (const level of levels) {
      const line = make("div");
      const key = make("i");
      key.style.borderColor = look(level).color;
      key.style.borderTopWidth = `${look(level).weight + 1}px`;
      const [, word] = data.classes?.findLast(([least]) => level >= least) ?? [];
      line.append(key, word ?? `≥ ${level} ${data.units}`.trim());
      box.append(line);
    }
    all.append(box);
  }
  return all;
};
legends.addTo(map);

// Time.
let shown = -1;
function show(i) {
  if (i === shown) return;
  layer(i).addTo(map);
  if (shown >= 0) layers[shown].remove();
  shown = i;
  const { valid, lead } = data.frames[i];
  at("time").value = i;
  const words = `${clock(valid, true)} UTC, ${lead ? `+${lead} min` : "now"}`;
  at("now").textContent = words;
  at("time").setAttribute("aria-valuetext", words);
  const time = Date.parse(valid);
  for (const [name, marker] of signs) {
    const { onset, ends } = latest.get(name);
    const near = onset && time >= Date.parse(onset) && time <= Date.parse(ends ?? onset);
    marker.getElement().classList.toggle("near", Boolean(near));
  }
}
let playing = 0;
function play(on) {
  clearInterval(playing);
  playing = on ? setInterval(() => show((shown + 1) % data.frames.length), 350) : 0;
  at("play").textContent = on ? "❚❚" : "▶";
  at("play").setAttribute("aria-label", on ? "Pause" : "Play");
}
at("play").addEventListener("click", () => play(!playing));
at("time").max = data.frames.length - 1;
at("time").addEventListener("input", (event) => {
  play(false);
  show(Number(event.target.value));
});
at("name").textContent = `${data.workflow} from ${clock(data.frames[0].valid, true)} UTC`;
at("about").textContent = `run ${data.run}${data.frames.length > 1 ? `, ${data.frames.length} lead times` : ""}`;
counties();
show(0);
document.body.dataset.ready = "yes";
