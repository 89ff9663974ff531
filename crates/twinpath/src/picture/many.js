"use strict";
const controls = document.getElementById("controls");
const find = document.getElementById("find");
const sort = document.getElementById("sort");
const shown = document.getElementById("shown");
const grid = document.getElementById("sessions");
const worst = Array.from(grid.children);
const by = new Intl.Collator(undefined, { numeric: true }).compare;
const text = (card, name) => card.querySelector(name).textContent;
const words = new Map();
const said = (card) => {
  if (!words.has(card)) words.set(card, `${text(card, ".n")} ${text(card, ".e")}`.toLowerCase());
  return words.get(card);
};
const orders = {
  worst: () => worst,
  delay: () => worst.slice().sort((a, b) => (b.dataset.d ?? -1) - (a.dataset.d ?? -1)),
  name: () => worst.slice().sort((a, b) => by(text(a, ".n"), text(b, ".n"))),
};
function count(number) {
  shown.textContent = `${number} of ${worst.length}`;
}
function search() {
  const wanted = find.value.toLowerCase().split(/\s+/);
  let number = 0;
  for (const card of worst) {
    const fits = wanted.every((word) => said(card).includes(word));
    card.hidden = !fits;
    number += fits;
  }
  count(number);
}
function open() {
  const card = document.getElementById(location.hash.slice(1));
  if (!worst.includes(card)) return;
  card.open = true;
  card.scrollIntoView();
}
find.addEventListener("input", search);
sort.addEventListener("change", () => grid.replaceChildren(...orders[sort.value]()));
addEventListener("hashchange", open);
controls.hidden = false;
count(worst.length);
open();
