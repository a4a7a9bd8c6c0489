/**
 * Words that tell nothing about a note: they keep their place and give no term. Folded as the analyser folds (no
 * apostrophes, ё is е). What commands, errors and languages are called is not here (`go`, `make`, `get`, `not`, `off`).
 */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again all already also although always am an and another any anyone anything are arent around
  as at be became because been before being below between both but by can cannot cant could couldnt did didnt do does
  doesnt doing dont done each either else enough etc even ever every everyone everything for from further got had
  hadnt has hasnt have havent having he hed her here heres hers herself hes him himself his how however hows i id if
  im in instead into is isnt it itd itll its itself ive just lets many me might mine more most much must my myself
  neither nor now of oh ok okay on once one ones only onto or other others ought our ours ourselves own perhaps per
  please quite rather really shall she shed shes should shouldnt since so some somebody someone something somewhere
  still such than that thats the their theirs them themselves then there therefore theres these they theyd theyll
  theyre theyve thing things this those though through thus to too toward towards under until unless up upon us very
  via was wasnt we wed well went were werent weve what whatever whats when whenever where wheres whereas whether
  which while who whoever whom whos whose why will with within without wont would wouldnt yeah yes yet you youd youll
  your youre yours yourself yourselves youve а без более больше будет будто будут бы был была были было быть в вам
  вами вас ваш ваша ваше ваши вдруг ведь во вот впрочем все всегда всего всем всеми всех вы где да даже для до другой
  другая другие другое его ее ей ему если есть еще ею же за зачем здесь и из изза или им ими иногда их к как какая
  какие какой какого каких ко когда конечно которая которого которое которой котором которому которую которые который
  которым которых кто кого кому куда ли либо лишь лучше между меня мне мной много может можно мой моя мое мои моего
  моей моих мы на над надо наконец нам нами нас наш наша наше наши не него нее ней нельзя нем нему несколько нет ни
  нибудь никогда ним ними них ничего но ну о об оба однако он она они оно опять от откуда отчего очень перед по под
  пока поскольку после потом потому почему почти при про просто пусть раз разве с сам сама само сами самого самой
  самый свой своя свое свои своего своей своих себе себя сейчас сквозь со совсем соответственно так также такая такие
  такого такое такой таких там тебе тебя тем теми теперь тех то тобой того тоже той только том тому тот тогда ту тут
  ты у уж уже хотя хоть чего чей чем через что чтоб чтобы чуть чье чья эта эти этим этих это этого этой этом этому
  этот эту я`
    .split(/\s+/)
    .filter((word) => word !== ''),
);
