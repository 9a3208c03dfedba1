"use strict";
// Every figure was computed by `yard compare`: here they are looked up, added and shown, and nothing is worked out anew.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const CENT = data.units / 100;
  const byId = (id) => document.getElementById(id);
  const inputs = data.sliders.map((slider) => byId(slider.key));
  const ownRegistry = byId("own-registry");
  const narrow = matchMedia("(max-width: 40rem)");
  let view = null;
  let described = ""; // what is seen, for who does not see it: Vega would say "Vega visualization"

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
    const number = amount(cents(usd));
    const mark = confirmed ? "" : "~";
    if (whole) return mark + number;
    return usd ? `${mark}${number}+?` : "?";
  };

  const isShown = ({ pair }) => pair.own || pair.ownRegistry || !ownRegistry.checked;

  // What is not known of a pair may cost anything, so one of which more is unknown is no candidate for the cheapest.
  const gaps = ({ columns }) => columns.flatMap((column, order) => (column.whole ? [] : [order]));
  const cents = (usd) => Math.floor(usd / CENT + 0.5);
  const amount = (count) => (count / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

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
      row.hidden = !isShown({ pair });
      [...columns, total].forEach((amount, place) => {
        row.cells[place + 2].textContent = text(amount);
      });
      row.parentElement.append(row); // in the new order
    }
    byId("unpriced").hidden = !found.some((each) => !each.pair.known && isShown(each)); // its head would stand alone
  };

  const answer = (known) => {
    const own = known.find(({ pair }) => pair.own);
    if (!own?.total.usd) return "Nobody here knows what this stack costs.";
    const largest = own.columns.reduce((most, each, order) => (each.usd > own.columns[most].usd ? order : most), 0);
    const percent = Math.round((100 * own.columns[largest].usd) / own.total.usd);
    const told = `${text(own.total)} USD a month. The ${data.columns[largest]} is ${percent} % of it.`;
    const missing = gaps(own);
    const best = known.find((each) => gaps(each).every((order) => missing.includes(order)));
    const saved = cents(own.total.usd) - cents(best.total.usd);
    if (saved <= 0) return `${told} No other pair is cheaper.`;
    return `${told} The cheapest switch saves ${amount(saved)}: ${best.pair.name}, ${text(best.total)}.`;
  };

  const tell = (known) => {
    byId("status").textContent = answer(known);
    const shown = known.filter(isShown);
    if (!shown.length) return;
    const [first, last] = [shown[0], shown[shown.length - 1]];
    const span = `from ${first.pair.name}, ${text(first.total)}, to ${last.pair.name}, ${text(last.total)} USD a month`;
    described = `${shown.length} stacked bars, ${span}; the table below has the same figures`;
    if (view) view.description(described);
  };

  // What is not the stack's own is in the address, so that it can be sent to somebody.
  const remember = (at) => {
    const moved = data.sliders.flatMap((slider, index) => (at[index] === Number(inputs[index].defaultValue) ? [] : [[slider.key, slider.stops[at[index]]]]));
    if (ownRegistry.checked) moved.push([ownRegistry.id, "yes"]);
    history.replaceState(null, "", `#${new URLSearchParams(moved)}`);
  };

  const recall = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    data.sliders.forEach((slider, index) => {
      const stop = slider.stops.indexOf(said.get(slider.key));
      if (stop >= 0) inputs[index].value = stop;
    });
    ownRegistry.checked = said.has(ownRegistry.id);
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
    if (view) view.data("rows", rowsOf(known.filter(isShown))).runAsync();
  };

  const draw = async () => {
    const known = compared(position()).filter(({ pair }) => pair.known).filter(isShown);
    if (!known.length) return;
    const form = narrow.matches ? data.chart.narrow : data.chart.wide;
    const height = (form.height / data.chart.bars) * known.length;
    const spec = { ...form, height, datasets: { rows: rowsOf(known) } };
    const drawn = await vegaEmbed("#chart", spec, {
      mode: "vega-lite",
      renderer: "svg",
      config: data.chart.config,
      ast: true, // expressions are interpreted: the page's policy forbids making code of text
      actions: false,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    view = drawn.view.description(described);
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

  const change = () => {
    update();
    remember(position());
  };
  byId("sliders").addEventListener("input", change);
  ownRegistry.addEventListener("change", () => {
    change();
    draw();
  });
  byId("sliders").addEventListener("reset", (event) => {
    event.preventDefault(); // it would come after this
    for (const input of inputs) input.value = input.defaultValue;
    change();
  });
  narrow.addEventListener("change", draw);
  byId("sliders").hidden = theme.hidden = byId("choice").hidden = false;
  showTheme();
  for (const input of inputs) input.value = input.defaultValue; // a browser that comes back puts them where they were
  recall();
  update();
  draw();
})();
