// Keys of the arena: a button or a link says by which key it is pressed.
(() => {
  "use strict";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest("input:not([type=checkbox]),textarea,select,dialog")) return;
    const pressed = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
    if (!pressed) return;
    event.preventDefault();
    pressed.click();
  });
})();
