// Beside a list of rows, the row that has the focus.
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
})();
