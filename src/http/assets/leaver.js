// The few things that the pages do beyond plain links and forms. Without any of this they work the same, only not live.
(function () {
  "use strict";

  // "All of this group": one box that ticks the others, and a count beside the button.
  function held(form) {
    var all = form.querySelector("[data-all]");
    var boxes = Array.prototype.slice.call(form.querySelectorAll("input[name=id]"));
    var count = form.querySelector("[data-count]");
    function show() {
      var ticked = boxes.filter(function (box) { return box.checked; }).length;
      if (all) {
        all.checked = ticked > 0 && ticked === boxes.length;
        all.indeterminate = ticked > 0 && ticked < boxes.length;
      }
      if (count) count.textContent = ticked + " of " + boxes.length + " chosen";
    }
    if (all) {
      all.closest("[hidden]") && all.closest("[hidden]").removeAttribute("hidden");
      all.addEventListener("change", function () {
        boxes.forEach(function (box) { box.checked = all.checked; });
        show();
      });
    }
    boxes.forEach(function (box) { box.addEventListener("change", show); });
    show();
  }

  document.querySelectorAll("form[data-choose]").forEach(held);

  // A filter that is chosen applies at once.
  document.querySelectorAll("form[data-filter] select").forEach(function (select) {
    select.addEventListener("change", function () { select.form.requestSubmit(); });
  });

  // A journal or a group that somebody has opened stays open when the server sends its next state.
  var open = {};
  document.body.addEventListener("htmx:sseBeforeMessage", function (event) {
    event.target.querySelectorAll("details[id]").forEach(function (one) { open[one.id] = one.open; });
  });
  document.body.addEventListener("htmx:sseMessage", function (event) {
    event.target.querySelectorAll("details[id]").forEach(function (one) {
      if (one.id in open) one.open = open[one.id];
    });
  });

  // The connection is shown where it matters: a page that stands still must not look as if it moved.
  var live = document.querySelector("[data-live]");
  if (live) {
    document.body.addEventListener("htmx:sseOpen", function () { live.textContent = "live"; live.className = "live on"; });
    document.body.addEventListener("htmx:sseError", function () { live.textContent = "connecting again"; live.className = "live off"; });
    document.body.addEventListener("htmx:sseClose", function () { live.textContent = "not live"; live.className = "live off"; });
  }
})();
