const found = [];
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const root = page.documentElement;
    const text = (card) => card.querySelector(".n").textContent;
    const cards = () => [...page.querySelectorAll("#sessions > details")].filter((card) => !card.hidden);
    const wide = () => root.scrollWidth <= root.clientWidth;
    const act = (id, value, event) => {
      const part = page.getElementById(id);
      part.value = value;
      part.dispatchEvent(new Event(event));
    };
    found.push(`fits ${wide()}`);
    found.push(`shown ${page.getElementById("shown").textContent}`);
    found.push(`first ${text(cards()[0])}`);
    cards()[0].open = true;
    cards()[30].open = true;
    found.push(`fits open ${wide()}`);
    found.push(`larger ${cards()[30].querySelector("svg").clientHeight > cards()[31].querySelector("svg").clientHeight}`);
    act("sort", "delay", "change");
    found.push(`slowest ${text(cards()[0])}`);
    act("sort", "name", "change");
    found.push(`by name ${text(cards()[2])}`);
    act("find", "198.51 CORE3 20031", "input");
    found.push(`searched ${cards().map(text)} ${page.getElementById("shown").textContent}`);
    act("find", "", "input");
    act("sort", "worst", "change");
    found.push(`again ${text(cards()[0])} ${cards().length}`);
  }
  document.getElementById("found").textContent = `[${found.join("|")}]`;
});
