# Types each line into a zsh with a terminal, presses TAB, and prints the words
# that it would offer, one a line, after each of them "end".
#
#   zsh -f offered.zsh SCRIPT LINE…
script=$1
shift
zmodload zsh/zpty

# said reads what the other shell shows, up to that word.
said() { local text; while zpty -r shell text; do [[ $text == *$1* ]] && return; done; exit 1 }

export offered=$(mktemp)
trap 'rm -f $offered' EXIT
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; autoload -Uz compinit && compinit -u -D; source '${(q)script}
zpty -w shell 'bindkey "^I" complete-word; zle -C complete-word complete-word _main_complete'
# Calls that fill arrays are part of the way to those that offer.
zpty -w shell 'compadd() {
  local -a words
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    builtin compadd -A words "$@"
    (( $#words )) && print -rl -- $words >>$offered
  fi
  builtin compadd "$@"
}'
zpty -w shell 'shown() { compstate[insert]= compstate[list]=; print -r -- end >>$offered; print -r -- do""ne }'
zpty -w shell 'comppostfuncs=(shown); echo rea""dy'
said ready
for line; do
  zpty -w -n shell $line$'\t'
  said done
  zpty -w -n shell $'\x15' # ^U: an empty line again
  # comppostfuncs are forgotten after each completion.
  zpty -w shell 'comppostfuncs=(shown); echo rea""dy'
  said ready
done
cat $offered
