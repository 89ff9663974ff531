# Types a line and a tab in an interactive zsh and prints what it shows, for at most some seconds.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; unsetopt beep zle_bracketed_paste; LISTMAX=1000; TERM=dumb; stty cols 200'
zpty -w shell "fpath=($PWD/zsh \$fpath); autoload -Uz compinit; compinit -u -D; print rea''dy"
shown=
for turn in {1..300}; do
  zpty -r -t shell part && shown+=$part || sleep 0.1
  [[ $shown == *ready* ]] && break
done
[[ $shown == *ready* ]] || { print "zsh did not begin: $shown"; exit 1 }
zpty -w -n shell "$1"$'\t'
shown= quiet=0
for turn in {1..300}; do
  if zpty -r -t shell part; then shown+=$part quiet=0; else sleep 0.1; (( quiet += 1 )); fi
  # It has echoed the line and said more.
  (( ${#shown} > ${#1} + 4 && quiet > 20 )) && break
done
print -r -- "$shown"
zpty -d shell
