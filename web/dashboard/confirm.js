/** A button that asks before it acts: the question takes its place, and Escape means no. */

/**
 * @param {HTMLElement} box holds the button `.ask` and, hidden, `.sure` with `.yes` and `.no`
 * @param {() => Promise<void>} act
 */
export function confirmed(box, act) {
  const find = (selector) => box.querySelector(selector);
  const question = (shown) => {
    find('.ask').hidden = shown;
    find('.sure').hidden = !shown;
    find(shown ? '.no' : '.ask').focus();
  };
  find('.ask').onclick = () => question(true);
  find('.no').onclick = () => question(false);
  box.onkeydown = ({ key }) => key === 'Escape' && !find('.sure').hidden && question(false);
  find('.yes').onclick = async () => {
    find('.yes').disabled = true;
    await act();
    find('.yes').disabled = false;
    question(false);
  };
}
