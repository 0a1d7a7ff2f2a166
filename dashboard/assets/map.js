// The map on a canvas: points by round, and those that an outline is drawn around. Without script it is a picture.
(() => {
  "use strict";
  const map = document.querySelector(".rows-map[data-points]");
  if (!map) return;
  // The margin is that of the picture, so that what is drawn over either fits.
  const side = 900, margin = 21.6, bytes = 16;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The map. The tables below say the same.");
  const context = canvas.getContext("2d");
  const slider = document.getElementById("through");
  let points = null, picture = null, outline = [], chosen = null, sent = 0;
  const at = (number) => margin + (number / 65535) * (side - 2 * margin);
  const share = (number) => Math.min(1, Math.max(0, (number - margin) / (side - 2 * margin)));
  // A row's place, by which it is chosen, and where its mark is drawn: beside it, where other rows have the same place.
  const read = (i) => ({
    x: at(points.getUint16(i * bytes, true)),
    y: at(points.getUint16(i * bytes + 2, true)),
    drawnX: (points.getUint16(i * bytes + 4, true) / 65535) * side,
    drawnY: (points.getUint16(i * bytes + 6, true) / 65535) * side,
    colour: Math.min(points.getUint16(i * bytes + 8, true), 9),
    round: points.getUint16(i * bytes + 10, true),
    row: points.getUint32(i * bytes + 12, true),
  });
  const last = () => (slider && slider.value !== slider.max ? Number(slider.value) + 1 : Infinity);
  // By the rule of even and odd crossings, as the server has it.
  const within = (corners, x, y) => {
    let inside = false;
    for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
      const [ax, ay] = corners[i], [bx, by] = corners[j];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  };

  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const coloured = (name) => {
      probe.fillStyle = style.getPropertyValue(name).trim() || "#777";
      probe.fillRect(0, 0, 1, 1);
      return probe.getImageData(0, 0, 1, 1).data;
    };
    const colours = Array.from({ length: 10 }, (_, number) => coloured(`--c${number}`));
    const others = coloured("--line");
    picture = context.createImageData(side, side);
    const count = points.byteLength / bytes, until = last();
    const size = count > 50000 ? 1 : count > 10000 ? 2 : count > 1000 ? 3 : 5;
    // Real rows are squares, wider than the dots of the others.
    const dot = (point, colour) => {
      const square = point.round === 0, wide = square ? Math.ceil(size * 1.5) : size, middle = (wide - 1) / 2;
      const x = Math.round(point.drawnX - wide / 2), y = Math.round(point.drawnY - wide / 2);
      for (let dx = 0; dx < wide; dx += 1) for (let dy = 0; dy < wide; dy += 1) {
        if (!square && (dx - middle) ** 2 + (dy - middle) ** 2 > (wide / 2) ** 2) continue;
        if (x + dx < 0 || x + dx >= side || y + dy < 0 || y + dy >= side) continue;
        picture.data.set(colour, ((y + dy) * side + x + dx) * 4);
      }
    };
    const shows = !map.classList.contains("bare");
    // What is not chosen is drawn first, so that it covers nothing that is.
    for (const wanted of chosen ? [false, true] : [true]) {
      for (let i = 0; shows && i < count; i += 1) {
        const point = read(i);
        if (point.round > until) continue;
        if (chosen && within(chosen, point.x, point.y) !== wanted) continue;
        dot(point, wanted ? colours[point.colour] : others);
      }
    }
    draw();
  };
  const draw = () => {
    context.putImageData(picture, 0, 0);
    const corners = outline.length > 1 ? outline : chosen;
    if (!corners) return;
    context.beginPath();
    corners.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(document.body).color;
    context.stroke();
  };
  const nearest = (x, y) => {
    let best = 144, found = null;
    for (let i = 0; i < points.byteLength / bytes; i += 1) {
      const point = read(i), dx = point.drawnX - x, dy = point.drawnY - y;
      if (point.round <= last() && dx * dx + dy * dy < best) [best, found] = [dx * dx + dy * dy, point.row];
    }
    return found;
  };

  // The address says what is chosen, so that it can be kept and sent.
  const address = (page) => {
    const asked = new URLSearchParams(location.search);
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    asked.delete("outline");
    if (chosen) asked.set("outline", chosen.flatMap(([x, y]) => [share(x).toFixed(4), share(y).toFixed(4)]).join(","));
    if (slider && slider.value !== slider.max) asked.set("through", slider.value);
    else asked.delete("through");
    return `${page}?${asked}`;
  };
  const tell = async () => {
    history.replaceState(null, "", address(location.pathname));
    const section = document.getElementById("chosen"), rows = document.getElementById("chosen-rows");
    if (!section || !rows) return;
    section.hidden = !chosen;
    sent += 1;
    if (!chosen) return rows.replaceChildren();
    const mine = sent;
    try {
      const answer = await fetch(address(map.dataset.selection), { headers: { accept: "text/html" } });
      const text = await answer.text();
      if (mine === sent) rows.innerHTML = text;
    } catch {
      if (mine === sent) rows.textContent = "The rows cannot be read now.";
    }
  };
  const choose = (corners) => {
    chosen = corners;
    // The server's outline is of what was chosen before.
    for (const old of map.querySelectorAll(".marks .outline")) old.remove();
    paint();
    tell();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    outline = [place(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!outline.length) return;
    const [x, y] = place(event), before = outline[outline.length - 1];
    if (Math.hypot(x - before[0], y - before[1]) < 6) return;
    outline.push([x, y]);
    draw();
  });
  canvas.addEventListener("pointercancel", () => { outline = []; draw(); });
  canvas.addEventListener("pointerup", () => {
    const drawn = outline;
    outline = [];
    if (drawn.length < 3) {
      const row = drawn.length ? nearest(...drawn[0]) : null;
      if (row !== null) location.assign(map.dataset.rows.replace(/\/rows$/, `/row-number/${row}`));
      return draw();
    }
    // As many corners as an address may have.
    const every = Math.ceil(drawn.length / 400);
    choose(drawn.filter((_, number) => number % every === 0));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chosen && !event.target.closest("dialog")) choose(null);
  });

  const layers = document.querySelectorAll(".map-controls input[name=show]");
  for (const box of layers) box.addEventListener("change", () => {
    if (box.value === "points") map.classList.toggle("bare", !box.checked);
    else map.querySelector(`.marks .${box.value}`)?.classList.toggle("off", !box.checked);
    if (points) paint();
  });
  slider?.addEventListener("input", () => {
    const shown = document.getElementById("through-shown");
    if (shown) shown.textContent = slider.value;
    if (points) paint();
  });
  slider?.addEventListener("change", tell);

  fetch(map.dataset.points).then(async (answer) => {
    if (!answer.ok) return;
    points = new DataView(await answer.arrayBuffer());
    map.querySelector("img")?.replaceWith(canvas);
    const corners = (new URLSearchParams(location.search).get("outline") || "").split(",").map(Number);
    if (corners.length >= 6) {
      const size = side - 2 * margin;
      chosen = Array.from({ length: corners.length / 2 }, (_, i) => [margin + corners[2 * i] * size, margin + corners[2 * i + 1] * size]);
      for (const old of map.querySelectorAll(".marks .outline")) old.remove();
    }
    const told = document.querySelector(".lasso");
    if (told) told.hidden = false;
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  });
})();
