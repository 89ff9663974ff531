"use strict";
const controls = document.getElementById("controls");
const find = document.getElementById("find");
const sort = document.getElementById("sort");
const shown = document.getElementById("shown");
const grid = document.getElementById("sessions");
const worst = Array.from(grid.children);
const by = new Intl.Collator(undefined, { numeric: true }).compare;
const once = (make) => {
  const made = new Map();
  return (card) => {
    if (!made.has(card)) made.set(card, make(card));
    return made.get(card);
  };
};
const name = once((card) => card.querySelector(".n").textContent);
const said = once((card) => `${name(card)} ${card.querySelector(".e").textContent}`.toLowerCase());
const orders = {
  worst: () => worst,
  delay: () => worst.slice().sort((a, b) => (b.dataset.d ?? -1) - (a.dataset.d ?? -1)),
  name: () => worst.slice().sort((a, b) => by(name(a), name(b))),
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
