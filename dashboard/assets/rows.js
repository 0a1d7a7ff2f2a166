// Beside a list of rows, the row that has the focus; and the map, drawn and outlined.
(() => {
  "use strict";
  // Looked for each time: a page that is made again has another one.
  const found = () => document.getElementById("pane");
  let wanted = "";
  const show = async (address) => {
    if (!found() || !address || (address === wanted && !found().hidden)) return;
    wanted = address;
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      const text = await answer.text();
      // A later row may have been asked for since.
      const pane = found();
      if (address !== wanted || !pane) return;
      pane.innerHTML = text;
      pane.hidden = false;
      pane.scrollTop = 0;
    } catch {
      wanted = "";
    }
  };
  const hide = () => {
    if (found()) found().hidden = true;
    wanted = "";
  };
  // Only keys open it: who clicks wants the row's own page.
  let byKey = false;
  document.addEventListener("keydown", (event) => {
    byKey = event.key === "j" || event.key === "k";
    if (event.key === "Escape") hide();
  }, true);
  document.addEventListener("focusin", (event) => {
    const address = event.target.dataset && event.target.dataset.pane;
    if (address && byKey) show(address);
  });

  const map = document.querySelector(".rows-map[data-points]");
  if (!map) return;
  const side = 900, margin = 8;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The map. The tables below say the same.");
  const context = canvas.getContext("2d");
  let points = null, picture = null, outline = [];
  const at = (number) => margin + (number / 65535) * (side - 2 * margin);

  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const colours = Array.from({ length: 10 }, (_, number) => {
      probe.fillStyle = style.getPropertyValue(`--c${number}`).trim() || "#777";
      probe.fillRect(0, 0, 1, 1);
      return probe.getImageData(0, 0, 1, 1).data;
    });
    picture = context.createImageData(side, side);
    const count = points.byteLength / 10;
    const size = count > 50000 ? 1 : count > 10000 ? 2 : count > 1000 ? 3 : 5;
    for (let i = 0; i < count; i += 1) {
      const x = at(points.getUint16(i * 10, true)) | 0, y = at(points.getUint16(i * 10 + 2, true)) | 0;
      const colour = colours[Math.min(points.getUint16(i * 10 + 4, true), 9)];
      for (let dx = 0; dx < size; dx += 1) for (let dy = 0; dy < size; dy += 1) {
        const place = ((y + dy) * side + x + dx) * 4;
        picture.data[place] = colour[0];
        picture.data[place + 1] = colour[1];
        picture.data[place + 2] = colour[2];
        picture.data[place + 3] = 255;
      }
    }
    draw();
  };
  const draw = () => {
    context.putImageData(picture, 0, 0);
    if (outline.length < 2) return;
    context.beginPath();
    outline.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(document.body).color;
    context.stroke();
  };
  const nearest = (x, y) => {
    let best = 144, found = -1;
    for (let i = 0; i < points.byteLength / 10; i += 1) {
      const dx = at(points.getUint16(i * 10, true)) - x, dy = at(points.getUint16(i * 10 + 2, true)) - y;
      if (dx * dx + dy * dy < best) [best, found] = [dx * dx + dy * dy, i];
    }
    return found < 0 ? null : points.getUint32(found * 10 + 6, true);
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };
  const share = (number) => Math.min(1, Math.max(0, (number - margin) / (side - 2 * margin))).toFixed(4);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    outline = [place(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!outline.length) return;
    const [x, y] = place(event), last = outline[outline.length - 1];
    if (Math.hypot(x - last[0], y - last[1]) < 6) return;
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
    const corners = drawn.filter((_, number) => number % every === 0);
    const asked = new URLSearchParams(location.search);
    asked.delete("by");
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    asked.set("outline", corners.flat().map(share).join(","));
    location.assign(`${map.dataset.rows}?${asked}`);
  });
  fetch(map.dataset.points).then(async (answer) => {
    if (!answer.ok) return;
    points = new DataView(await answer.arrayBuffer());
    map.replaceChildren(canvas);
    const told = document.querySelector(".lasso");
    if (told) told.hidden = false;
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  });
})();
