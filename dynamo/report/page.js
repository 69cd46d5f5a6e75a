"use strict";
// Tooltips that appear at once and with line breaks; without this script, browsers show each <title> themselves.
const tip = document.getElementById("tip");
for (const title of document.querySelectorAll("svg g > title, svg rect > title")) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
document.addEventListener("pointermove", (event) => {
  const over = event.target.closest("[data-tip]");
  tip.hidden = !over;
  if (!over) return;
  if (tip.textContent !== over.dataset.tip) tip.textContent = over.dataset.tip;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const below = event.clientY + 18;
  const y = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
  tip.style.transform = `translate(${Math.max(x, 8)}px, ${Math.max(y, 8)}px)`;
});
// Tables are sorted by the column whose head is clicked: numbers largest first, words from A.
for (const head of document.querySelectorAll("th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const number = head.classList.contains("n");
    const order = head.getAttribute("aria-sort") === (number ? "descending" : "ascending") ? 1 : -1;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    const up = number ? order > 0 : order < 0;
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const value = (row) => row.cells[head.cellIndex];
    const compare = number
      ? (a, b) => value(a).dataset.v - value(b).dataset.v
      : (a, b) => value(a).textContent.localeCompare(value(b).textContent);
    body.append(...[...body.rows].sort((a, b) => (up ? compare(a, b) : compare(b, a))));
  });
}
