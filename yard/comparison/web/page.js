"use strict";
// Every figure was computed by `yard compare`: here they are looked up, added and shown, and nothing is worked out anew.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const CENT = data.units / 100;
  const byId = (id) => document.getElementById(id);
  const inputs = data.sliders.map((slider) => byId(slider.key));
  const narrow = matchMedia("(max-width: 40rem)");
  let view = null;

  const position = () => inputs.map((input) => input.valueAsNumber);

  // A table has its value for each stop of some sliders, the last one's fastest.
  const look = ([sliders, values], at) => values[sliders.reduce((index, slider) => index * data.sliders[slider].stops.length + at[slider], 0)];

  const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

  const figures = (pair, at) => {
    const columns = pair.columns.map((column) => ({
      usd: sum(column.parts.map((part) => look(part, at))),
      confirmed: look(column.confirmed, at),
      whole: look(column.whole, at),
    }));
    const total = {
      usd: sum(columns.map((each) => each.usd)),
      confirmed: columns.every((each) => each.confirmed),
      whole: columns.every((each) => each.whole),
    };
    return { pair, columns, total };
  };

  const text = ({ usd, confirmed, whole }) => {
    const cents = Math.floor(usd / CENT + 0.5);
    const number = (cents / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    const mark = confirmed ? "" : "~";
    if (whole) return mark + number;
    return usd ? `${mark}${number}+?` : "?";
  };

  const compared = (at) =>
    data.pairs.map((pair) => figures(pair, at)).sort((a, b) => a.total.usd - b.total.usd || a.pair.place - b.pair.place);

  const rowsOf = (found) =>
    found.flatMap(({ pair, columns, total }, rank) =>
      columns.map((column, order) => ({
        pair: pair.name,
        own: pair.own,
        rank,
        column: data.columns[order],
        order,
        usd: column.usd / data.units,
        text: text(column),
        sum: total.usd / data.units,
        total: text(total),
      })),
    );

  const fill = (found) => {
    for (const { pair, columns, total } of found) {
      const row = byId(pair.id);
      [...columns, total].forEach((amount, place) => {
        row.cells[place + 2].textContent = text(amount);
      });
      row.parentElement.append(row); // in the new order
    }
  };

  const tell = (known) => {
    // What is not known of a pair may cost anything, so it is no candidate for the cheapest.
    const full = known.find(({ total }) => total.whole);
    const own = known.find(({ pair }) => pair.own);
    const said = [];
    if (full) said.push(`Cheapest${full === known[0] ? "" : " of those known in full"}: ${full.pair.name}, ${text(full.total)} USD a month.`);
    if (own) said.push(`This stack, ${own.pair.name}: ${text(own.total)}.`);
    byId("status").textContent = said.join(" ");
  };

  const list = (at) => {
    for (const [id, tables] of Object.entries(data.lists)) {
      const lines = tables.flatMap((table) => look(table, at)).map((index) => data.texts[index]);
      byId(id).parentElement.hidden = !lines.length;
      byId(id).replaceChildren(
        ...lines.map((line) => {
          const item = document.createElement("li");
          item.textContent = line;
          return item;
        }),
      );
    }
  };

  const update = () => {
    const at = position();
    inputs.forEach((input, slider) => {
      const stop = data.sliders[slider].stops[at[slider]];
      input.setAttribute("aria-valuetext", stop);
      input.parentElement.querySelector("output").textContent = stop;
    });
    const found = compared(at);
    const known = found.filter(({ pair }) => pair.known);
    fill(found);
    tell(known);
    list(at);
    if (view) view.data("rows", rowsOf(known)).runAsync();
  };

  const draw = async () => {
    const known = compared(position()).filter(({ pair }) => pair.known);
    if (!known.length) return;
    const spec = { ...(narrow.matches ? data.chart.narrow : data.chart.wide), datasets: { rows: rowsOf(known) } };
    const drawn = await vegaEmbed("#chart", spec, {
      mode: "vega-lite",
      renderer: "svg",
      config: data.chart.config,
      ast: true, // expressions are interpreted: the page's policy forbids making code of text
      actions: false,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    view = drawn.view;
    byId("chart").dataset.drawn = narrow.matches ? "narrow" : "wide";
  };

  const theme = byId("theme");
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (preferred.matches ? "dark" : "light")) === "dark";
  const showTheme = () => theme.setAttribute("aria-checked", String(isDark()));
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  preferred.addEventListener("change", showTheme);

  byId("sliders").addEventListener("input", update);
  byId("sliders").addEventListener("reset", (event) => {
    event.preventDefault(); // it would come after this
    for (const input of inputs) input.value = input.defaultValue;
    update();
  });
  narrow.addEventListener("change", draw);
  byId("sliders").hidden = theme.hidden = false;
  showTheme();
  byId("sliders").reset(); // a browser that comes back to a page puts its controls where they were
  draw();
})();
