"use strict";
// Every figure was computed by `yard compare`: here they are looked up, added and shown, and nothing is worked out anew.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const CENT = data.units / 100;
  const FEW = 8; // bars
  const byId = (id) => document.getElementById(id);
  const inputs = data.controls.map((control) => byId(control.key));
  const everyRegistry = byId("every-registry");
  const budget = byId("budget");
  const ownStop = (input) => (input.options ? [...input.options].findIndex((each) => each.defaultSelected) : Number(input.defaultValue));
  const narrow = matchMedia("(max-width: 40rem)");
  let view = null;
  let described = ""; // what is seen, for who does not see it: Vega would say "Vega visualization"

  const position = () => inputs.map((input) => Number(input.value));

  // A table has its value for each stop of some controls, the last one's fastest; a product has a factor for each stop.
  const look = ([controls, values, factors], at) =>
    factors
      ? Math.floor(factors.reduce((product, each, order) => product * each[at[controls[order]]], values) + 0.5)
      : values[controls.reduce((index, control) => index * data.controls[control].stops.length + at[control], 0)];

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

  const isShown = ({ pair }) => pair.own || pair.first || everyRegistry.checked;

  // What is not known of a pair may cost anything, so one of which more is unknown is no candidate for the cheapest.
  const gaps = ({ columns }) => columns.flatMap((column, order) => (column.whole ? [] : [order]));
  const cents = (usd) => Math.floor(usd / CENT + 0.5);
  const amount = (count) => (count / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

  const compared = (at) =>
    data.pairs.map((pair) => figures(pair, at)).sort((a, b) => a.total.usd - b.total.usd || a.pair.place - b.pair.place);

  // Where bars are cut, so that the dearest does not squeeze the rest; never the stack's own. As `chart.longest` has it.
  const longest = (found) => {
    const sums = found.map(({ total }) => total.usd).sort((a, b) => a - b);
    const own = found.find(({ pair }) => pair.own)?.total.usd ?? 0;
    return Math.min(sums[sums.length - 1], Math.max(data.chart.roomy * sums[Math.floor(sums.length / 2)], own * 1.05));
  };

  // What is left of a bar's pieces where it is cut.
  const pieces = (columns, end) => {
    let room = end;
    return columns.map(({ usd }) => {
      const drawn = Math.min(usd, room);
      room -= drawn;
      return drawn;
    });
  };

  const rowsOf = (found, at, end = longest(found)) =>
    found.flatMap(({ pair, columns, total }, rank) =>
      pieces(columns, end).map((drawn, order) => ({
        pair: pair.name,
        own: pair.own,
        rank,
        column: data.columns[order],
        order,
        usd: columns[order].usd / data.units,
        drawn: drawn / data.units,
        text: text(columns[order]),
        end: Math.min(total.usd, end) / data.units,
        total: (total.usd > end ? data.chart.cut : "") + text(total),
        prices: look(pair.prices[order], at).map((number) => data.texts[number]).join("\n"),
      })),
    );

  const fits = ({ total }) => cents(total.usd) <= budget.valueAsNumber * 100;

  const judge = (known) => {
    const within = known.filter(fits).length;
    const told = `${within} of ${known.length} pairs fit${within === 1 ? "s" : ""}`;
    const cheapest = within || !known.length ? "" : `; the cheapest costs ${text(known[0].total)}`;
    byId("fits").textContent = budget.value === "" ? "none given" : told + cheapest;
  };

  const fill = (found) => {
    for (const { pair, columns, total } of found) {
      const row = byId(pair.id);
      row.hidden = pair.known && !isShown({ pair });
      row.classList.toggle("over", budget.value !== "" && pair.known && !fits({ total }));
      [...columns, total].forEach((amount, place) => {
        row.cells[place + 2].textContent = text(amount);
      });
      row.parentElement.append(row); // in the new order
    }
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
    const moved = data.controls.flatMap((control, index) => (at[index] === ownStop(inputs[index]) ? [] : [[control.key, control.stops[at[index]]]]));
    if (everyRegistry.checked) moved.push([everyRegistry.id, "yes"]);
    if (budget.value !== "") moved.push([budget.id, budget.value]);
    history.replaceState(null, "", `#${new URLSearchParams(moved)}`);
  };

  const recall = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    data.controls.forEach((control, index) => {
      const stop = control.stops.indexOf(said.get(control.key));
      if (stop >= 0) inputs[index].value = stop;
    });
    everyRegistry.checked = said.has(everyRegistry.id);
    budget.value = said.get(budget.id) ?? "";
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
    inputs.forEach((input, control) => {
      const stop = data.controls[control].stops[at[control]];
      input.parentElement.classList.toggle("moved", at[control] !== ownStop(input));
      if (input.id === "region") byId("place").textContent = stop;
      if (input.type !== "range") return;
      input.setAttribute("aria-valuetext", stop);
      input.parentElement.querySelector("output").textContent = stop;
    });
    const found = compared(at);
    const known = found.filter(({ pair }) => pair.known);
    fill(found);
    judge(known);
    tell(known);
    list(at);
    const rows = rowsOf(known.filter(isShown), at);
    byId("cut").hidden = !rows.some((row) => row.total.startsWith(data.chart.cut));
    if (view) view.data("rows", rows).data("budget", limit()).runAsync();
  };

  const limit = () => [{ usd: budget.valueAsNumber || 0 }];

  const draw = async () => {
    const at = position();
    const known = compared(at).filter(({ pair }) => pair.known).filter(isShown);
    if (!known.length) return;
    const form = narrow.matches ? data.chart.narrow : data.chart.wide;
    const few = known.length <= FEW ? 1.5 : 1; // where there are few bars they may be thick
    const height = (form.height / data.chart.bars) * known.length * few;
    const layer = form.layer.map((each) => (each.mark.type === "bar" ? { ...each, mark: { ...each.mark, height: each.mark.height * few } } : each));
    const spec = { ...form, layer, height, datasets: { rows: rowsOf(known, at), budget: limit() } };
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
    byId("chart").querySelector("svg").setAttribute("aria-hidden", "true"); // what it is drawn of: the description says it
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
  for (const moved of ["input", "change"]) byId("controls").addEventListener(moved, change); // of a select some browsers tell one alone
  everyRegistry.addEventListener("change", () => {
    change();
    draw();
  });
  byId("controls").addEventListener("reset", (event) => {
    event.preventDefault(); // it would come after this
    for (const input of inputs) input.value = ownStop(input);
    budget.value = "";
    change();
  });
  narrow.addEventListener("change", draw);
  byId("controls").hidden = theme.hidden = byId("choice").hidden = false;
  showTheme();
  for (const input of inputs) input.value = ownStop(input); // a browser that comes back puts them where they were
  recall();
  update();
  draw();
})();
