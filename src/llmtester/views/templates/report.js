"use strict";
(function () {
  const root = document.documentElement;
  const all = (selector, from) => Array.from((from || document).querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  root.classList.add("js");

  // Theme: the system decides until the reader does.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const themeButton = byId("theme");
  const nameTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
    redraw();
  });
  dark.addEventListener("change", () => { nameTheme(); redraw(); });
  nameTheme();

  // The table of all results: sorting, filtering, columns.
  const table = byId("results-table");
  const rows = table ? all("tbody tr", table) : [];
  const sortKey = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : parseFloat(cell.dataset.v);
    return cell.dataset.s !== undefined ? Number(cell.dataset.s) : cell.textContent.trim().toLowerCase();
  };
  function sortBy(header) {
    const column = header.cellIndex;
    const first = header.dataset.first || "ascending";
    const now = header.getAttribute("aria-sort");
    const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
    const sign = next === "ascending" ? 1 : -1;
    const keyed = rows.map((row, place) => [sortKey(row, column), place, row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))) || i - j;
    });
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", next);
    table.tBodies[0].append(...keyed.map((entry) => entry[2]));
  }
  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const rating = byId("only-rating").value;
    const question = byId("only-question").value;
    let shown = 0;
    for (const row of rows) {
      const text = row.cells[0].textContent.toLowerCase();
      const keep = words.every((word) => text.includes(word)) &&
        (!rating || row.dataset.r === rating) && (!question || row.dataset.q === question);
      row.hidden = !keep;
      shown += keep ? 1 : 0;
    }
    byId("shown").textContent = shown + " of " + rows.length + " results";
  }
  if (table) {
    all("thead .sort", table).forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));
    ["find", "only-rating", "only-question"].forEach((id) => byId(id).addEventListener("input", filter));
    byId("all-columns").addEventListener("change", (event) => table.classList.toggle("few", !event.target.checked));
  }

  // The matrix shows whatever metric and question the reader picks, from the cells of the table.
  const matrix = byId("matrix-table");
  if (matrix && table) {
    const found = new Map(rows.map((row) => [row.dataset.q + "/" + row.dataset.t, row]));
    const fill = () => {
      const header = all("thead th[data-m]", table).find((th) => th.dataset.m === byId("matrix-metric").value);
      const question = byId("matrix-question").value;
      for (const cell of all("td[data-t]", matrix)) {
        const row = found.get(question + "/" + cell.dataset.t);
        const source = row && row.cells[header.cellIndex];
        cell.classList.remove("l1", "l2", "l3", "l4", "l5");
        if (source && source.dataset.l) cell.classList.add("l" + source.dataset.l);
        cell.querySelector("b").textContent = source ? source.firstChild.textContent.trim() : "–";
        cell.querySelector("small").textContent = row ? row.dataset.r : "not in the plan";
        cell.dataset.v = source ? source.dataset.v : "";
      }
      byId("matrix-unit").textContent = header.dataset.told;
    };
    ["matrix-metric", "matrix-question"].forEach((id) => byId(id).addEventListener("input", fill));
  }

  // Copy buttons.
  all(".copy button").forEach((button) => button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  }));

  // A link to a model opens it.
  const open = () => {
    const target = location.hash.length > 1 && byId(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();

  // Interactive charts: inflated and drawn when they come near, in place of the still ones.
  const figures = JSON.parse(byId("figures").textContent);
  const drawn = new Set();
  let library = null;
  const inflate = async () => {
    const packed = atob(byId("plotly").textContent);
    const bytes = Uint8Array.from(packed, (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  };
  const colour = (() => {
    const probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
    return (name) => {
      probe.style.color = "var(--" + name.slice(1) + ")";
      return getComputedStyle(probe).color;
    };
  })();
  const resolve = (value, key) => {
    if (Array.isArray(value)) return value.map((item) => resolve(item, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, name)]));
    }
    return typeof value === "string" && value[0] === "$" && key.endsWith("color") ? colour(value) : value;
  };
  const settings = {
    responsive: true, displaylogo: false, plotlyServerURL: "", showLink: false, showEditInChartStudio: false,
    modeBarButtonsToRemove: ["sendDataToCloud", "select2d", "lasso2d", "autoScale2d"],
  };
  const draw = (plotly, id) => {
    const figure = resolve(figures[id], "");
    const place = byId(id + "-live");
    byId(id).classList.add("drawn");
    return plotly.react(place, figure.data, figure.layout, settings).then(() => drawn.add(id));
  };
  async function show(id) {
    library = library || inflate();
    await draw(await library, id);
  }
  function redraw() {
    if (library) library.then((plotly) => drawn.forEach((id) => draw(plotly, id)));
  }
  if ("DecompressionStream" in window && "IntersectionObserver" in window) {
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          show(entry.target.id);
        }
      }
    }, { rootMargin: "250px" });
    Object.keys(figures).forEach((id) => watcher.observe(byId(id)));
  }
  root.dataset.ready = "true";
})();
