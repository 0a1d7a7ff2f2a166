// The map's points: hover, click or walk from one to the next with the arrow keys; search; classes on and off.
// All it shows it reads from the table below the map, as text.
"use strict";
(() => {
  const box = document.getElementById("map-box");
  const map = document.getElementById("map");
  if (!box || !map) return;
  const canvas = document.getElementById("canvas");
  const tip = document.getElementById("tip");
  const mark = document.getElementById("mark");
  const found = document.getElementById("found");
  const find = document.getElementById("find");
  const side = map.viewBox.baseVal.width;
  const heads = [...document.querySelectorAll("#points thead th")].map((head) => head.textContent);
  const points = [...document.querySelectorAll("#points tr[data-x]")].map((row) => ({
    row, x: +row.dataset.x, y: +row.dataset.y, kind: row.dataset.class,
    words: row.textContent.toLowerCase(), on: true, matches: true,
  }));
  let current = null;

  box.querySelector(".tools").hidden = false;
  box.querySelector(".legend").hidden = true;
  canvas.tabIndex = 0;

  const shown = (point) => point.on && point.matches;

  const nearest = (x, y, reach) => {
    let best = null;
    let least = reach * reach;
    for (const point of points) {
      const square = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (shown(point) && square < least) [best, least] = [point, square];
    }
    return best;
  };

  const under = (event) => {
    const area = map.getBoundingClientRect();
    const scale = side / area.width;
    const reach = (event.pointerType === "touch" ? 24 : 14) * scale;
    return nearest((event.clientX - area.left) * scale, (event.clientY - area.top) * scale, reach);
  };

  const hint = (point) => {
    tip.hidden = !point;
    if (!point) return;
    tip.textContent = point.row.cells[0].textContent;
    const x = (point.x / side) * canvas.clientWidth;
    const y = (point.y / side) * canvas.clientHeight;
    const left = x + 14 + tip.offsetWidth < canvas.clientWidth ? x + 14 : Math.max(4, x - 14 - tip.offsetWidth);
    const top = Math.min(Math.max(4, y - tip.offsetHeight / 2), canvas.clientHeight - tip.offsetHeight - 4);
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  };

  const circle = (point) => {
    mark.setAttribute("cx", point ? point.x : -99);
    mark.setAttribute("cy", point ? point.y : -99);
  };

  const open = (point) => {
    current = point;
    circle(point);
    const list = document.createElement("dl");
    [...point.row.cells].forEach((cell, number) => {
      if (!cell.textContent) return;
      const name = document.createElement("dt");
      const value = document.createElement("dd");
      name.textContent = heads[number];
      value.textContent = cell.textContent;
      value.className = cell.classList.contains("id") ? "id" : "text";
      list.append(name, value);
    });
    document.getElementById("told-empty").hidden = true;
    document.getElementById("told-row").replaceChildren(list);
  };

  // The nearest point in a direction, those aside counting as farther.
  const next = (dx, dy) => {
    if (!current || !shown(current)) return nearest(side / 2, side / 2, 2 * side);
    let best = null;
    let least = Infinity;
    for (const point of points) {
      const along = (point.x - current.x) * dx + (point.y - current.y) * dy;
      if (point === current || !shown(point) || along <= 0) continue;
      const aside = Math.abs((point.x - current.x) * dy) + Math.abs((point.y - current.y) * dx);
      if (along + 2 * aside < least) [best, least] = [point, along + 2 * aside];
    }
    return best;
  };

  map.addEventListener("pointermove", (event) => {
    const point = under(event);
    hint(point);
    circle(point || current);
  });
  map.addEventListener("pointerleave", () => {
    hint(null);
    circle(current);
  });
  map.addEventListener("click", (event) => {
    const point = under(event);
    if (point) open(point);
  });

  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hint(null);
    if (event.key === "Enter" && current) return open(current);
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const point = next(...way);
    if (!point) return;
    current = point;
    circle(point);
    hint(point);
  });
  canvas.addEventListener("blur", () => hint(null));

  const redraw = () => {
    const asked = find.value.trim().toLowerCase();
    let path = "";
    let count = 0;
    for (const point of points) {
      point.matches = !asked || point.words.includes(asked);
      if (!asked || !shown(point)) continue;
      path += `M${point.x} ${point.y}h0`;
      count += 1;
    }
    found.setAttribute("d", path);
    map.querySelectorAll(".dots:not(#found)").forEach((dots) => dots.classList.toggle("dim", !!asked));
    document.getElementById("matches").textContent = asked ? `${count} of ${points.length}` : "";
  };
  find.addEventListener("input", redraw);
  box.querySelectorAll(".tools input[data-class]").forEach((choice) => {
    choice.addEventListener("change", () => {
      const kind = choice.dataset.class;
      map.querySelectorAll(`.dots.c${kind}`).forEach((dots) => dots.classList.toggle("off", !choice.checked));
      points.forEach((point) => {
        if (point.kind === kind) point.on = choice.checked;
      });
      redraw();
    });
  });
})();
